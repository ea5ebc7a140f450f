// What the parts of the packet path cost by themselves, without a socket or a device.
//
//   trellis_bench_micro [WORD]      only the lines that contain WORD

#include "measure.h"

int main(int argc, char** argv) {
  trellis::bench::Report report(argc > 1 ? argv[1] : "");
  trellis::bench::measure_packets(report);
  trellis::bench::measure_routing(report);
  trellis::bench::measure_replay(report);
  trellis::bench::measure_handshakes(report);
  trellis::bench::measure_checksums(report);
  return 0;
}
