-- A user's view of the inbox. ARGV: base. See view.lua.
return view(ARGV[1])
