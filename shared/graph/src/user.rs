//! Graph's user object as an [`Account`]: what we ask for, and how it is read. No requests.
//!
//! An attribute without a value (`null`, or never set and therefore absent) is not in the account's set.
//! <https://learn.microsoft.com/graph/api/resources/user>

use std::borrow::Cow;
use std::fmt;

use hardmatch_domain::account::{Account, AccountKind, Authority};
use hardmatch_domain::attribute::{Attr, Attributes, DirectoryExtension, Texts};
use hardmatch_domain::ids::{ImmutableId, ObjectId};
use hardmatch_ports::tenant::AccountChange;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::text::Text;

/// Every property we read of a user of any tenant. `id` comes first; the fifteen extension attributes are one property.
const SELECT: &str = "id,accountEnabled,userPrincipalName,onPremisesImmutableId,mailNickname,displayName,\
givenName,surname,jobTitle,department,companyName,employeeId,employeeType,officeLocation,streetAddress,city,state,\
postalCode,country,usageLocation,businessPhones,mobilePhone,faxNumber,preferredLanguage,mail,proxyAddresses,userType,\
onPremisesSyncEnabled,onPremisesLastSyncDateTime,onPremisesExtensionAttributes,assignedLicenses,createdDateTime,\
externalUserState,otherMails,employeeOrgData,passwordPolicies";

/// What is read of every user of one tenant, as `$select` has it.
pub(crate) struct Select {
    text: String,
    extensions: Vec<DirectoryExtension>,
}

impl Select {
    /// The properties that every tenant has, and these directory extensions.
    /// <https://learn.microsoft.com/graph/extensibility-overview>
    pub(crate) fn with(mut extensions: Vec<DirectoryExtension>) -> Self {
        extensions.sort_unstable();
        extensions.dedup();
        let names = std::iter::once(SELECT).chain(extensions.iter().map(|extension| extension.name()));
        Self { text: names.collect::<Vec<_>>().join(","), extensions }
    }

    /// The directory extensions, by name.
    pub(crate) fn extensions(&self) -> &[DirectoryExtension] {
        &self.extensions
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const SLOTS: usize = Attr::ALL.len();

/// One place for each attribute, and the directory extensions that an answer named.
struct Slots<'a> {
    fixed: [Option<Text<'a>>; SLOTS],
    extensions: Vec<(DirectoryExtension, Option<Text<'a>>)>,
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self { fixed: std::array::from_fn(|_| None), extensions: Vec::new() }
    }
}

impl<'a> Slots<'a> {
    fn get(&self, attr: Attr) -> Option<&str> {
        match (attr.place(), attr.directory_extension()) {
            (Some(place), _) => self.fixed[usize::from(place)].as_deref(),
            (None, extension) => {
                let named = self.extensions.iter().find(|(name, _)| Some(*name) == extension);
                named.and_then(|(_, value)| value.as_deref())
            }
        }
    }

    fn set(&mut self, attr: Attr, value: Option<Text<'a>>) {
        match (attr.place(), attr.directory_extension()) {
            (Some(place), _) => self.fixed[usize::from(place)] = value,
            (None, Some(extension)) => self.extensions.push((extension, value)),
            (None, None) => {}
        }
    }

    /// Every attribute that may have a value.
    fn all(&self) -> impl Iterator<Item = Attr> {
        let extensions = self.extensions.iter().map(|(extension, _)| Attr::Directory(*extension));
        Attr::ALL.iter().copied().chain(extensions)
    }
}

/// Properties that an answer named, with a value or with `null`: one bit each, attributes first.
#[derive(Clone, Copy, Default)]
struct Named(u64);

/// Bits of what is no attribute.
const IMMUTABLE_ID: u32 = 56;
const ENABLED: u32 = 57;
const PROXIES: u32 = 58;
const KIND: u32 = 59;
const SYNC_ENABLED: u32 = 60;
const LICENSES: u32 = 61;
const CREATED: u32 = 62;
const LAST_SYNC: u32 = 63;
const GUEST_STATE: u32 = 55;
const _: () = assert!(SLOTS <= GUEST_STATE as usize, "attributes and the others have bits of their own");

impl Named {
    fn add(&mut self, bit: u32) {
        self.0 |= 1 << bit;
    }

    /// A directory extension has no bit: its place among the values says that it was named.
    fn add_attr(&mut self, attr: Attr) {
        self.0 |= attr.place().map_or(0, |place| 1 << place);
    }

    fn has_attr(self, attr: Attr) -> bool {
        attr.place().is_none_or(|place| self.has(u32::from(place)))
    }

    fn has(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }
}

/// A user as Graph wrote it, still borrowing from the answer.
#[derive(Default)]
pub(crate) struct User<'a> {
    named: Named,
    pub(crate) id: Text<'a>,
    immutable_id: Option<Text<'a>>,
    attributes: Slots<'a>,
    enabled: Option<bool>,
    proxies: Vec<Text<'a>>,
    kind: Option<Text<'a>>,
    sync_enabled: Option<bool>,
    licenses: Vec<License<'a>>,
    manager: Option<Reference<'a>>,
    /// Relationship changes of a delta round.
    pub(crate) manager_changes: Vec<Reference<'a>>,
    created: Option<Text<'a>>,
    deleted: Option<Text<'a>>,
    last_sync: Option<Text<'a>>,
    guest_state: Option<Text<'a>>,
    /// Set in a delta round when the user went away.
    pub(crate) removed: Option<Removed<'a>>,
    odata_type: Option<Text<'a>>,
}

/// What the answer to a creation must say.
#[derive(Deserialize)]
pub(crate) struct Created<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
}

#[derive(Deserialize)]
struct License<'a> {
    /// In lower case, as rules and the table have it.
    #[serde(rename = "skuId", borrow, deserialize_with = "lower_case")]
    sku: Text<'a>,
}

/// An id, borrowed from the answer unless it has capitals, which Graph does not write.
fn lower_case<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    let Text(id) = Text::deserialize(deserializer)?;
    let capitals = id.bytes().any(|byte| byte.is_ascii_uppercase());
    Ok(Text(if capitals { Cow::Owned(id.to_ascii_lowercase()) } else { id }))
}

/// Another object by its id.
#[derive(Deserialize)]
pub(crate) struct Reference<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(rename = "@removed", borrow, default)]
    pub(crate) removed: Option<Removed<'a>>,
}

/// Why an object is no longer there: `changed` is soft-deleted, `deleted` is gone for good.
/// <https://learn.microsoft.com/graph/delta-query-overview>
#[derive(Deserialize)]
pub(crate) struct Removed<'a> {
    #[serde(borrow, default)]
    pub(crate) reason: Option<Text<'a>>,
}

impl User<'_> {
    /// The account.
    pub(crate) fn account(&self) -> Account {
        self.account_as(boxed(self.deleted.as_ref()))
    }

    /// The account of an entry of the recycle bin, its UPN as it was before.
    pub(crate) fn deleted_account(&self) -> Account {
        // Where it was found says that it is deleted, even if no date was given.
        self.account_as(Some(boxed(self.deleted.as_ref()).unwrap_or_default()))
    }

    fn account_as(&self, deleted: Option<Box<str>>) -> Account {
        let id = object_id(&self.id);
        let upn = self
            .attributes
            .get(Attr::UserPrincipalName)
            .map(|upn| if deleted.is_some() { without_id_prefix(upn, &id) } else { upn });
        let attributes = Attributes::from_pairs(self.attributes.all().filter_map(|attr| {
            let value = if attr == Attr::UserPrincipalName { upn } else { self.attributes.get(attr) };
            value.filter(|value| !value.is_empty()).map(|value| (attr, value))
        }));
        Account {
            immutable_id: filled(self.immutable_id.as_ref()).map(ImmutableId::new),
            attributes,
            enabled: self.enabled,
            proxies: Texts::new(self.proxies.iter().map(|proxy| &**proxy)),
            kind: match self.kind.as_deref() {
                Some(kind) if kind.eq_ignore_ascii_case("guest") => AccountKind::Guest,
                Some(_) | None => AccountKind::Member,
            },
            authority: match self.sync_enabled {
                Some(true) => Authority::Synced,
                Some(false) => Authority::FormerlySynced,
                None => Authority::Cloud,
            },
            licenses: Texts::new(self.licenses.iter().map(|license| &*license.sku)),
            manager: self.manager.as_ref().and_then(|manager| manager.id.as_deref()).map(object_id),
            created: boxed(self.created.as_ref()),
            deleted,
            last_sync: boxed(self.last_sync.as_ref()),
            guest_state: boxed(self.guest_state.as_ref()),
            ..Account::blank(id)
        }
    }

    /// What an entry of a delta round says of the account, its manager left out.
    pub(crate) fn change(&self) -> AccountChange {
        let Account {
            id,
            immutable_id,
            enabled,
            proxies,
            kind,
            authority,
            licenses,
            created,
            last_sync,
            guest_state,
            ..
        } = self.account_as(None);
        let has = |bit: u32| self.named.has(bit);
        let attributes = self.attributes.all().filter(|attr| self.named.has_attr(*attr));
        AccountChange {
            immutable_id: has(IMMUTABLE_ID).then_some(immutable_id),
            attributes: Attributes::from_pairs(attributes.map(|attr| (attr, self.attributes.get(attr).unwrap_or("")))),
            enabled: has(ENABLED).then_some(enabled),
            proxies: has(PROXIES).then_some(proxies),
            kind: has(KIND).then_some(kind),
            authority: has(SYNC_ENABLED).then_some(authority),
            licenses: has(LICENSES).then_some(licenses),
            created: has(CREATED).then_some(created),
            last_sync: has(LAST_SYNC).then_some(last_sync),
            guest_state: has(GUEST_STATE).then_some(guest_state),
            ..AccountChange::of(id)
        }
    }

    /// Whether it is a user at all: deleted items hold groups and others too.
    pub(crate) fn is_user(&self) -> bool {
        self.odata_type.as_deref().is_none_or(|kind| kind == "#microsoft.graph.user")
    }
}

fn filled<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(|text| &**text).filter(|text| !text.is_empty())
}

fn boxed(text: Option<&Text<'_>>) -> Option<Box<str>> {
    filled(text).map(Box::from)
}

/// An object id, lower case.
pub(crate) fn object_id(text: &str) -> ObjectId {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        ObjectId::new(text.to_ascii_lowercase())
    } else {
        ObjectId::from(text)
    }
}

/// While soft-deleted, a UPN carries its object id without hyphens in front, which frees the name for others.
fn without_id_prefix<'t>(upn: &'t str, id: &ObjectId) -> &'t str {
    let mut rest = upn.bytes();
    let fits =
        id.as_str().bytes().filter(|b| *b != b'-').all(|b| rest.next().is_some_and(|u| u.eq_ignore_ascii_case(&b)));
    if fits && id.as_str().len() == 36 { upn.get(32..).filter(|rest| !rest.is_empty()).unwrap_or(upn) } else { upn }
}

impl<'de: 'a, 'a> Deserialize<'de> for User<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Properties;
        impl<'de> Visitor<'de> for Properties {
            type Value = User<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<User<'de>, M::Error> {
                let mut user = User::default();
                while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
                    user.property(&name, &mut map)?;
                }
                Ok(user)
            }
        }
        deserializer.deserialize_map(Properties)
    }
}

impl<'de> User<'de> {
    fn property<M: MapAccess<'de>>(&mut self, name: &Cow<'de, str>, map: &mut M) -> Result<(), M::Error> {
        match &**name {
            "id" => self.id = map.next_value()?,
            "accountEnabled" => {
                self.named.add(ENABLED);
                self.enabled = map.next_value()?;
            }
            "onPremisesImmutableId" => {
                self.named.add(IMMUTABLE_ID);
                self.immutable_id = map.next_value()?;
            }
            "proxyAddresses" => {
                self.named.add(PROXIES);
                self.proxies = map.next_value::<Option<_>>()?.unwrap_or_default();
            }
            "userType" => {
                self.named.add(KIND);
                self.kind = map.next_value()?;
            }
            "onPremisesSyncEnabled" => {
                self.named.add(SYNC_ENABLED);
                self.sync_enabled = map.next_value()?;
            }
            "onPremisesLastSyncDateTime" => {
                self.named.add(LAST_SYNC);
                self.last_sync = map.next_value()?;
            }
            "assignedLicenses" => {
                self.named.add(LICENSES);
                self.licenses = map.next_value::<Option<_>>()?.unwrap_or_default();
            }
            "createdDateTime" => {
                self.named.add(CREATED);
                self.created = map.next_value()?;
            }
            "deletedDateTime" => self.deleted = map.next_value()?,
            "externalUserState" => {
                self.named.add(GUEST_STATE);
                self.guest_state = map.next_value()?;
            }
            "manager" => self.manager = map.next_value()?,
            "manager@delta" => self.manager_changes = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "@removed" => self.removed = map.next_value()?,
            "@odata.type" => self.odata_type = map.next_value()?,
            "businessPhones" => {
                let phones: Option<Vec<Text<'de>>> = map.next_value()?;
                self.named.add_attr(Attr::BusinessPhones);
                self.attributes.set(Attr::BusinessPhones, phones.and_then(|phones| phones.into_iter().next()));
            }
            "otherMails" => {
                let mails: Option<Vec<Text<'de>>> = map.next_value()?;
                self.named.add_attr(Attr::OtherMails);
                let joined = mails.unwrap_or_default().iter().map(|mail| &**mail).collect::<Vec<_>>().join(";");
                self.attributes.set(Attr::OtherMails, (!joined.is_empty()).then_some(Text(Cow::Owned(joined))));
            }
            "employeeOrgData" => {
                let data: OrgData<'de> = map.next_value::<Option<_>>()?.unwrap_or_default();
                for (attr, value) in [(Attr::Division, data.division), (Attr::CostCenter, data.cost_center)] {
                    self.named.add_attr(attr);
                    self.attributes.set(attr, value);
                }
            }
            "onPremisesExtensionAttributes" => {
                if let Some(Extensions(values)) = map.next_value()? {
                    for (attr, value) in values {
                        self.named.add_attr(attr);
                        self.attributes.set(attr, value);
                    }
                } else {
                    let all = Attr::ALL.iter().filter(|attr| attr.extension_number().is_some());
                    all.for_each(|attr| self.named.add_attr(*attr));
                }
            }
            name => match attribute(name) {
                Some(attr) => {
                    self.named.add_attr(attr);
                    self.attributes.set(attr, map.next_value()?);
                }
                None => match DirectoryExtension::known(name) {
                    Some(extension) => {
                        let value: Option<ExtensionValue<'de>> = map.next_value()?;
                        self.attributes.set(Attr::Directory(extension), value.and_then(ExtensionValue::text));
                    }
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            },
        }
        Ok(())
    }
}

/// Graph writes its names in one way, so this may be exact and therefore quick.
fn attribute(name: &str) -> Option<Attr> {
    Attr::ALL.iter().copied().find(|attr| attr.name() == name)
}

/// The value of a directory extension. Texts are read; a list, of an extension with several values, is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExtensionValue<'a> {
    One(#[serde(borrow)] Text<'a>),
    Other(IgnoredAny),
}

impl<'a> ExtensionValue<'a> {
    fn text(self) -> Option<Text<'a>> {
        match self {
            ExtensionValue::One(text) => Some(text),
            ExtensionValue::Other(IgnoredAny) => None,
        }
    }
}

/// <https://learn.microsoft.com/graph/api/resources/employeeorgdata>
#[derive(Default, Deserialize)]
struct OrgData<'a> {
    #[serde(borrow, default)]
    division: Option<Text<'a>>,
    #[serde(rename = "costCenter", borrow, default)]
    cost_center: Option<Text<'a>>,
}

struct Extensions<'a>(Vec<(Attr, Option<Text<'a>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Extensions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Extensions<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of extension attributes")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Extensions<'de>, M::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Option<Text<'de>>>()? {
                    if let Some(attr) = attribute(&name).filter(|attr| attr.extension_number().is_some()) {
                        pairs.push((attr, value));
                    }
                }
                Ok(Extensions(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A page of anything, with its links.
#[derive(Deserialize)]
pub(crate) struct Page<'a, T> {
    /// Absent in half an answer.
    #[serde(deserialize_with = "crate::limit::objects", bound(deserialize = "'de: 'a, T: Deserialize<'de>"))]
    pub(crate) value: Vec<T>,
    #[serde(rename = "@odata.nextLink", borrow, default)]
    pub(crate) next: Option<Text<'a>>,
    #[serde(rename = "@odata.deltaLink", borrow, default)]
    pub(crate) delta: Option<Text<'a>>,
}
