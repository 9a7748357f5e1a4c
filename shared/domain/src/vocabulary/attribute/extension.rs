//! Names of directory extensions. An application of the tenant registers them, so their number is open; one process keeps
//! each name once, and an attribute stays a few bytes that are copied.

use std::cmp::Ordering;
use std::fmt;
use std::sync::OnceLock;

/// Names that one process knows at most: a thousand connections with a few extensions each.
const MOST_NAMES: usize = 4096;

/// Each name at the place of its hash, or at the next free one. A name that was put here stays, so a place means the same
/// name for the life of the process.
static NAMES: [OnceLock<Box<str>>; MOST_NAMES] = [const { OnceLock::new() }; MOST_NAMES];

/// The name of a directory extension, as Graph spells it: `extension_<application id without hyphens>_<name>`. Two are equal
/// where their names are.
/// <https://learn.microsoft.com/graph/api/resources/extensionproperty>
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DirectoryExtension(u16);

/// What every name begins with.
const PREFIX: &str = "extension_";
/// Digits of an application id.
const ID_DIGITS: usize = 32;

impl DirectoryExtension {
    /// The longest value of an extension of type String, in characters.
    /// <https://learn.microsoft.com/graph/api/application-post-extensionproperty>
    pub const MAX_CHARS: usize = 256;
    /// The longest name that is taken, prefix included. Graph documents no limit.
    pub const MAX_NAME: usize = 160;

    /// The extension of a name; `None` for a text that cannot be one, and where the process knows
    /// as many names as it keeps.
    pub fn parse(name: &str) -> Option<Self> {
        if !is_name(name) {
            return None;
        }
        places(name).find(|&place| &**NAMES[usize::from(place)].get_or_init(|| name.into()) == name).map(Self)
    }

    /// The extension of a name that [`DirectoryExtension::parse`] was asked for before; any other text keeps no place.
    pub fn known(name: &str) -> Option<Self> {
        if !is_name(name) {
            return None;
        }
        let mut taken = places(name).map_while(|place| Some((place, NAMES[usize::from(place)].get()?)));
        taken.find(|(_, kept)| ***kept == *name).map(|(place, _)| Self(place))
    }

    /// The name.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)].get().map_or("", |name| name)
    }
}

/// Whether a text is spelled like the name of a directory extension.
fn is_name(name: &str) -> bool {
    let Some((id, own)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')) else { return false };
    id.len() == ID_DIGITS
        && id.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        && !own.is_empty()
        && own.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.len() <= DirectoryExtension::MAX_NAME
}

/// The places where a name may lie, in the order in which they are tried.
fn places(name: &str) -> impl Iterator<Item = u16> {
    // FNV-1a. <https://www.rfc-editor.org/rfc/rfc9923>
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let most = MOST_NAMES as u64;
    (0..most).map(move |step| u16::try_from((hash % most + step) % most).unwrap_or_default())
}

/// By name: the order is the same in every process.
impl Ord for DirectoryExtension {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for DirectoryExtension {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for DirectoryExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(own: &str) -> String {
        format!("extension_b7d8e648520f41d3b9c0fdeb91768a0a_{own}")
    }

    #[test]
    fn equal_names_are_equal_extensions() {
        let badge = DirectoryExtension::parse(&named("badge")).unwrap();
        assert_eq!(DirectoryExtension::parse(&named("badge")), Some(badge));
        assert_eq!(DirectoryExtension::known(&named("badge")), Some(badge));
        assert_ne!(DirectoryExtension::parse(&named("Badge")), Some(badge));
        assert_eq!(badge.name(), named("badge"));
        assert_eq!(DirectoryExtension::known(&named("nobody_asked")), None);
    }

    #[test]
    fn extensions_sort_by_name() {
        let of = |own: &str| DirectoryExtension::parse(&named(own)).unwrap();
        let mut sorted = [of("c"), of("a"), of("b")];
        sorted.sort_unstable();
        assert_eq!(sorted.map(DirectoryExtension::name), [named("a"), named("b"), named("c")]);
    }

    #[test]
    fn only_a_whole_name_is_one() {
        for bad in [
            "extension_0a_x".to_owned(),
            named(""),
            named("a-b"),
            named("a b"),
            named(&"x".repeat(DirectoryExtension::MAX_NAME)),
            named("x").to_uppercase(),
            named("x").replace("b7d8", "B7D8"),
            "extensionAttribute1".to_owned(),
        ] {
            assert_eq!(DirectoryExtension::parse(&bad), None, "{bad}");
        }
    }
}
