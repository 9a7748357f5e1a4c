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

/// The cookie of the next page: empty at the end, `None` where the answer names none.
pub(crate) fn next_page(controls: &[Control]) -> Option<Vec<u8>> {
    octets(sequence(value_of(controls, PAGED)?)?.into_iter().nth(1)?)
}

const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
pub(crate) const CONTENT_SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
const SYNC_INFO: &[u8] = b"1.3.6.1.4.1.4203.1.9.1.4";

/// Bytes that Active Directory may put into one answer of changes.
const DIR_SYNC_BYTES: [u8; 3] = [0x10, 0x00, 0x00];

/// Asks Active Directory for changes since a cookie. `as_reader` asks for what the account may read, which takes no right of
/// replication. <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/2213a7f2-0a36-483c-b2a4-8574d53aa1e3>
pub(crate) fn dir_sync(as_reader: bool, cookie: &[u8]) -> RawControl {
    let mut inner = element(0x02, &[u8::from(as_reader)]);
    inner.extend(element(0x02, &DIR_SYNC_BYTES));
    inner.extend(element(0x04, cookie));
    RawControl { ctype: DIR_SYNC.to_owned(), crit: true, val: Some(element(0x30, &inner)) }
}

/// The next cookie of changes, and whether there are more of them.
pub(crate) fn dir_synced(controls: &[Control]) -> Option<(bool, Vec<u8>)> {
    let mut parts = sequence(value_of(controls, DIR_SYNC)?)?.into_iter();
    let more = octets(parts.next()?)?.iter().any(|byte| *byte != 0);
    Some((more, octets(parts.nth(1)?)?))
}

/// Asks for deleted entries, too.
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/b645c125-a7da-4097-84a1-2fa7cea07714>
pub(crate) fn show_deleted() -> RawControl {
    RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None }
}

/// Asks for what changed since a cookie. <https://www.rfc-editor.org/rfc/rfc4533>
pub(crate) fn content_sync(cookie: &[u8]) -> RawControl {
    // refreshOnly
    let mut inner = element(0x0a, &[1]);
    if !cookie.is_empty() {
        inner.extend(element(0x04, cookie));
    }
    RawControl { ctype: CONTENT_SYNC.to_owned(), crit: true, val: Some(element(0x30, &inner)) }
}

/// The end of an answer of [`content_sync`]: its cookie, which is empty where nothing changed, and whether entries that were
/// not mentioned are unchanged.
pub(crate) fn content_synced(controls: &[Control]) -> Option<(Vec<u8>, bool)> {
    let (mut cookie, mut rest_is_unchanged) = (Vec::new(), false);
    for part in sequence(value_of(controls, SYNC_DONE)?)? {
        match part.id {
            4 => cookie = octets(part)?,
            1 => rest_is_unchanged = octets(part)?.iter().any(|byte| *byte != 0),
            _ => {}
        }
    }
    Some((cookie, rest_is_unchanged))
}

/// What an entry of an answer of [`content_sync`] is: the bytes of its UUID, and whether it was deleted.
pub(crate) fn sync_state(controls: &[Control]) -> Option<(Vec<u8>, bool)> {
    let mut parts = sequence(value_of(controls, SYNC_STATE)?)?.into_iter();
    let deleted = octets(parts.next()?)? == [3];
    Some((octets(parts.next()?)?, deleted))
}

/// A message between the entries of an answer of [`content_sync`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SyncMessage {
    /// These entries were deleted, or are not what was asked for any more.
    Deleted(Vec<Vec<u8>>),
    /// These are there and unchanged; what is never mentioned is gone.
    Present,
    /// Nothing about entries.
    Other,
}

/// Reads a message between entries; `None` where it is malformed.
pub(crate) fn sync_message(message: StructureTag) -> Option<SyncMessage> {
    let PL::C(parts) = message.payload else { return None };
    let mut parts = parts.into_iter();
    if octets(parts.next()?)? != SYNC_INFO {
        return Some(SyncMessage::Other);
    }
    let (_, info) = parse_tag(&octets(parts.next()?)?).ok()?;
    match (info.id, info.payload) {
        // A set of UUIDs.
        (3, PL::C(parts)) => {
            let (mut deleted, mut ids) = (false, Vec::new());
            for part in parts {
                match (part.id, part.payload) {
                    (1, PL::P(flag)) => deleted = flag.iter().any(|byte| *byte != 0),
                    (17, PL::C(set)) => ids = set.into_iter().map(octets).collect::<Option<_>>()?,
                    _ => {}
                }
            }
            Some(if deleted { SyncMessage::Deleted(ids) } else { SyncMessage::Present })
        }
        (2, _) => Some(SyncMessage::Present),
        _ => Some(SyncMessage::Other),
    }
}

fn value_of<'c>(controls: &'c [Control], oid: &str) -> Option<&'c [u8]> {
    controls.iter().find(|Control(_, raw)| raw.ctype == oid).and_then(|Control(_, raw)| raw.val.as_deref())
}

fn sequence(value: &[u8]) -> Option<Vec<StructureTag>> {
    match parse_tag(value).ok()?.1.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn octets(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
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
    fn answers_about_changes_are_read() {
        let control = |oid: &str, value: Vec<u8>| {
            [Control(None, RawControl { ctype: oid.to_owned(), crit: false, val: Some(value) })]
        };
        // SEQUENCE { more INTEGER, unused INTEGER, cookie OCTET STRING }
        let answer = vec![0x30, 0x0a, 0x02, 0x01, 0x01, 0x02, 0x01, 0x00, 0x04, 0x02, 7, 8];
        assert_eq!(dir_synced(&control(DIR_SYNC, answer)), Some((true, vec![7, 8])));
        assert_eq!(dir_synced(&control(DIR_SYNC, vec![0x30, 0x00])), None);
        let done = vec![0x30, 0x07, 0x04, 0x02, 7, 8, 0x01, 0x01, 0xff];
        assert_eq!(content_synced(&control(SYNC_DONE, done)), Some((vec![7, 8], true)));
        // Both parts may be left out: then what was not mentioned is gone.
        assert_eq!(content_synced(&control(SYNC_DONE, vec![0x30, 0x00])), Some((Vec::new(), false)));
        let state = vec![0x30, 0x07, 0x0a, 0x01, 0x03, 0x04, 0x02, 7, 8];
        assert_eq!(sync_state(&control(SYNC_STATE, state)), Some((vec![7, 8], true)));
    }

    #[test]
    fn garbage_is_no_page() {
        for value in [vec![], vec![0x30], vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff], vec![0x02, 0x01, 0x00]] {
            let raw = RawControl { ctype: PAGED.to_owned(), crit: false, val: Some(value) };
            assert_eq!(next_page(&[Control(None, raw)]), None);
        }
    }
}
