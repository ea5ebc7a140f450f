#!/bin/busybox sh
# Does what the test asks for. A line on the second serial port: NUMBER COMMAND, the command for a
# shell in base64. The answer: NUMBER STATUS OUTPUT, the output packed by gzip and in base64.
# kernel_guest.py has the other end.
control=/dev/ttyS1
stty -F $control raw -echo
exec 3<>$control
echo ready >&3
while read -r number command <&3; do
  echo "$command" | base64 -d >/tmp/command
  sh /tmp/command >/tmp/output 2>&1 </dev/null 3<&-
  status=$?
  echo "$number $status $(gzip -c /tmp/output | base64 -w 0)" >&3
done
