#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/ip/offload.h"

#include <cstdint>

namespace trellis::ip {

enum class SegmentError {
  NotSegmentable,  // not of the protocol that its offload says, or the offload is incomplete
  WrongLength,     // headers or checksum field lie outside of the packet
};

/// Cuts a super-packet of TCP or UDP into packets as the stack itself would have sent them: with
/// own lengths, identifications, sequence numbers, flags and checksums.
///
///   | IP | TCP | payload ......................... |     in
///   | IP | TCP | payload |  | IP | TCP | payload |  ...  out: segment_size bytes each, then the
///   rest
class Segmenter {
 public:
  /// `packet` must outlive the result.
  static Expected<Segmenter, SegmentError> create(const Offload& offload, ByteView packet);

  /// Bytes of all segments but the last, which may have fewer.
  std::size_t segment_bytes() const { return header_size_ + segment_size_; }
  bool done() const { return offset_ == packet_.size(); }

  /// Writes the next segment to the front of `target`, which must have room for `segment_bytes()`;
  /// returns its size. Not to be called when done.
  std::size_t next(MutableByteView target);

 private:
  Segmenter() = default;
  void write_ip(MutableByteView segment) const;
  void write_tcp(MutableByteView segment, bool last) const;
  void write_checksum(MutableByteView segment) const;

  ByteView packet_;
  bool tcp_ = false;
  std::size_t transport_ = 0;    // where the TCP or UDP header begins
  std::size_t header_size_ = 0;  // all headers
  std::size_t segment_size_ = 0;
  std::size_t checksum_at_ = 0;
  std::uint16_t pseudo_sum_ = 0;  // as found, with the length of the whole
  std::uint16_t index_ = 0;       // of the next segment; wraps as the identification does
  std::size_t offset_ = 0;        // of its payload in the packet
};

/// Finishes the checksum of a packet that is not to be cut. Does nothing if none is needed.
Expected<void, SegmentError> finish_checksum(const Offload& offload, MutableByteView packet);

}  // namespace trellis::ip
