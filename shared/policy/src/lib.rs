//! hardmatch.toml: read, checked, explained and compiled into the domain's policy; CEL lives here.
