//! People from CSV, JSON Lines and LDIF files.
