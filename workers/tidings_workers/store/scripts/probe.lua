-- Ask the dispatcher for a sign of life. ARGV: token, target partition.
ingest({ { 'p', ARGV[1], tonumber(ARGV[2]) } })
return 1
