//! Texts from elsewhere that are shown or logged only in a form that we know: numbers of errors, ids.

/// Whether a text is a GUID as Microsoft writes them.
pub(crate) fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A code fit for logs, the table and a page. What is none has no code.
pub(crate) fn code(text: &str) -> String {
    let fit = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if fit { text.to_owned() } else { "unknown_error".to_owned() }
}

/// Microsoft's correlation id out of a description of an error: a GUID or nothing.
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
pub(crate) fn correlation_id(description: &str) -> Option<&str> {
    let (_, after) = description.split_once("Correlation ID:")?;
    after.trim_start().get(..36).filter(|id| is_guid(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "0a1b2c3d-0000-4000-8000-00000000abcd";

    #[test]
    fn only_ids_come_through() {
        assert_eq!(correlation_id(&format!("AADSTS1: x. Correlation ID: {GUID} Timestamp: y")), Some(GUID));
        for none in ["", "Correlation ID:", "Correlation ID: <b>0a1b2c3d-0000-4000-8000-0000000", "Trace ID: 1"] {
            assert_eq!(correlation_id(none), None, "{none}");
        }
        assert!(!is_guid("0a1b2c3d000040008000000000000abcd"));
        assert!(!is_guid("contoso.onmicrosoft.com"));
    }

    #[test]
    fn only_codes_come_through() {
        assert_eq!(code("AADSTS65004"), "AADSTS65004");
        for odd in ["", "<script>", "access denied", &"a".repeat(65)] {
            assert_eq!(code(odd), "unknown_error", "{odd}");
        }
    }
}
