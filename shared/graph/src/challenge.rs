//! The `WWW-Authenticate` challenge of a token that was revoked early.
//! <https://learn.microsoft.com/entra/identity-platform/claims-challenge>

use base64::Engine as _;

use crate::claims::{STANDARD, URL_SAFE};

/// The claims that the next token request must carry, decoded.
pub(crate) fn claims(header: &str) -> Option<String> {
    if !header.contains("insufficient_claims") {
        return None;
    }
    let value = header.split_once("claims=\"")?.1.split_once('"')?.0;
    let bytes = STANDARD.decode(value).or_else(|_| URL_SAFE.decode(value)).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_decoded_only_from_their_challenge() {
        let header = r#"Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
        assert_eq!(claims(header).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(claims(r#"Bearer error="insufficient_claims", claims="eyJhIjoxfQ""#).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(claims(r#"Bearer error="invalid_token", claims="eyJhIjoxfQ==""#), None);
        assert_eq!(claims(r#"Bearer error="insufficient_claims", claims="***""#), None);
    }
}
