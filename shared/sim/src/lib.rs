//! A Microsoft 365 tenant that speaks Graph's HTTP and refuses as it does.
