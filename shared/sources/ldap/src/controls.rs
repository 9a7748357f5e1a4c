//! The controls that are sent and read here, without the library's parsers: those panic on a malformed value.

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::controls::{Control, RawControl};

const PAGED: &str = "1.2.840.113556.1.4.319";

/// Asks for a page of a result. <https://www.rfc-editor.org/rfc/rfc2696>
pub(crate) fn paged(size: u16, cookie: &[u8]) -> RawControl {
    let [high, low] = size.to_be_bytes();
    let mut inner = vec![0x02, 0x03, 0x00, high, low];
    inner.extend(element(0x04, cookie));
    RawControl { ctype: PAGED.to_owned(), crit: true, val: Some(element(0x30, &inner)) }
}

/// The cookie of the next page: empty at the end, `None` where the server does not page.
pub(crate) fn next_page(controls: &[Control]) -> Option<Vec<u8>> {
    let value =
        controls.iter().find(|Control(_, raw)| raw.ctype == PAGED).and_then(|Control(_, raw)| raw.val.as_ref())?;
    let (_, StructureTag { payload: PL::C(parts), .. }) = parse_tag(value).ok()? else { return None };
    match parts.into_iter().nth(1)?.payload {
        PL::P(cookie) => Some(cookie),
        PL::C(_) => None,
    }
}

/// A value in BER, with its tag and length.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    if let Ok(short @ 0..0x80) = u8::try_from(value.len()) {
        bytes.push(short);
    } else {
        let length = value.len().to_be_bytes();
        let used = length.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>();
        bytes.push(0x80 | u8::try_from(used.len()).unwrap_or(8));
        bytes.extend(used);
    }
    bytes.extend_from_slice(value);
    bytes
}

#[cfg(test)]
mod tests {
    use ldap3::controls::PagedResults;

    use super::*;

    #[test]
    fn a_page_is_asked_for_as_the_library_would() {
        for cookie in [vec![], vec![7; 5], vec![9; 200], vec![1; 70_000]] {
            let library = RawControl::from(PagedResults { size: 500, cookie: cookie.clone() });
            let ours = paged(500, &cookie);
            let parsed = next_page(&[Control(None, ours.clone())]);
            assert_eq!(parsed.as_ref(), Some(&cookie));
            let theirs = next_page(&[Control(None, library)]);
            assert_eq!(theirs, parsed);
        }
    }

    #[test]
    fn garbage_is_no_page() {
        for value in [vec![], vec![0x30], vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0x02, 0x01, 0x00]] {
            let raw = RawControl { ctype: PAGED.to_owned(), crit: false, val: Some(value) };
            assert_eq!(next_page(&[Control(None, raw)]), None);
        }
    }
}
