//! The rules: who is joined to which account, what changes, and why. Pure.
