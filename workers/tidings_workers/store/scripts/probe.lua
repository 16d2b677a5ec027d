-- Ask the dispatcher for a sign of life. ARGV: token, target partition.

--- @include "add_to_ingress"

add_to_ingress({ { 'p', ARGV[1], tonumber(ARGV[2]) } })
return 1
