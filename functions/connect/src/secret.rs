//! Secrets that cannot be guessed: 256 bits each. Where they are kept, they are kept as hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 32 bytes in base64 without padding; also a code verifier's shortest length.
/// <https://www.rfc-editor.org/rfc/rfc7636#section-4.1>
const CHARS: usize = 43;

/// A new one, from the system's generator.
pub(crate) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Whether a text could be one of ours. What could not is never looked up.
pub(crate) fn could_be_secret(text: &str) -> bool {
    text.len() == CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_told_from_others() {
        assert!(could_be_secret(&secret()));
        assert_ne!(secret(), secret());
        for other in ["", "return", &"a".repeat(44), &"é".repeat(43), &format!("{}/", "a".repeat(42))] {
            assert!(!could_be_secret(other), "{other}");
        }
    }
}
