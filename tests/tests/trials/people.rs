//! Who is who, and what is concluded from silence.
