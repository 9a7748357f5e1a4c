//! Account attributes that text flows into.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod extension;
mod set;
mod texts;

pub use extension::DirectoryExtension;
pub use set::Attributes;
pub use texts::Texts;

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $graph:literal, $limit:literal;)*) => {
        /// A text attribute of an account that hardmatch can read and write, named as Microsoft Graph names it.
        /// <https://learn.microsoft.com/graph/api/resources/user>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Attr {
            $($(#[$doc])* $name,)*
            /// A directory extension, which an application of the tenant has registered.
            Directory(DirectoryExtension),
        }

        /// The attributes without a payload, for their numbers.
        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Place { $($name),* }

        impl Attr {
            /// Every attribute that each tenant has, in the order of the set. Directory extensions are not among them.
            pub const ALL: &'static [Attr] = &[$(Attr::$name),*];

            /// Graph's property name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Attr::$name => $graph,)*
                    Attr::Directory(extension) => extension.name(),
                }
            }

            /// The longest value Graph takes, in characters.
            pub fn max_chars(self) -> usize {
                match self {
                    $(Attr::$name => $limit,)*
                    Attr::Directory(_) => DirectoryExtension::MAX_CHARS,
                }
            }

            /// The place in [`Attr::ALL`]; `None` for a directory extension.
            pub fn place(self) -> Option<u8> {
                match self {
                    $(Attr::$name => Some(Place::$name as u8),)*
                    Attr::Directory(_) => None,
                }
            }

            /// The attribute of that Graph name, without regard to case; a directory extension exactly as it is written.
            pub fn parse(name: &str) -> Option<Attr> {
                let known = Attr::ALL.iter().copied().find(|attr| attr.name().eq_ignore_ascii_case(name));
                known.or_else(|| DirectoryExtension::parse(name).map(Attr::Directory))
            }
        }
    };
}

attributes! {
    /// Sign-in name.
    UserPrincipalName = "userPrincipalName", 113;
    /// Mail alias.
    MailNickname = "mailNickname", 64;
    /// Name shown in address lists. Cannot be cleared.
    DisplayName = "displayName", 256;
    /// First name.
    GivenName = "givenName", 64;
    /// Last name.
    Surname = "surname", 64;
    /// Title.
    JobTitle = "jobTitle", 128;
    /// Department.
    Department = "department", 64;
    /// Company.
    CompanyName = "companyName", 64;
    /// Employee number.
    EmployeeId = "employeeId", 16;
    /// Kind of employment, free text.
    EmployeeType = "employeeType", 1024;
    /// Office.
    OfficeLocation = "officeLocation", 128;
    /// Street.
    StreetAddress = "streetAddress", 1024;
    /// City.
    City = "city", 128;
    /// State or province.
    State = "state", 128;
    /// Postal code.
    PostalCode = "postalCode", 40;
    /// Country or region.
    Country = "country", 128;
    /// Two-letter country of use, needed for licences. Cannot be cleared once set.
    UsageLocation = "usageLocation", 2;
    /// The one business phone Graph accepts.
    BusinessPhones = "businessPhones", 64;
    /// Mobile phone.
    MobilePhone = "mobilePhone", 64;
    /// Fax.
    FaxNumber = "faxNumber", 64;
    /// Preferred language tag.
    PreferredLanguage = "preferredLanguage", 64;
    /// Primary address, where the directory masters it. Cannot be cleared.
    Mail = "mail", 113;
    /// Extension attribute 1.
    ExtensionAttribute1 = "extensionAttribute1", 1024;
    /// Extension attribute 2.
    ExtensionAttribute2 = "extensionAttribute2", 1024;
    /// Extension attribute 3.
    ExtensionAttribute3 = "extensionAttribute3", 1024;
    /// Extension attribute 4.
    ExtensionAttribute4 = "extensionAttribute4", 1024;
    /// Extension attribute 5.
    ExtensionAttribute5 = "extensionAttribute5", 1024;
    /// Extension attribute 6.
    ExtensionAttribute6 = "extensionAttribute6", 1024;
    /// Extension attribute 7.
    ExtensionAttribute7 = "extensionAttribute7", 1024;
    /// Extension attribute 8.
    ExtensionAttribute8 = "extensionAttribute8", 1024;
    /// Extension attribute 9.
    ExtensionAttribute9 = "extensionAttribute9", 1024;
    /// Extension attribute 10.
    ExtensionAttribute10 = "extensionAttribute10", 1024;
    /// Extension attribute 11.
    ExtensionAttribute11 = "extensionAttribute11", 1024;
    /// Extension attribute 12.
    ExtensionAttribute12 = "extensionAttribute12", 1024;
    /// Extension attribute 13.
    ExtensionAttribute13 = "extensionAttribute13", 1024;
    /// Extension attribute 14.
    ExtensionAttribute14 = "extensionAttribute14", 1024;
    /// Extension attribute 15.
    ExtensionAttribute15 = "extensionAttribute15", 1024;
    /// Further addresses of the person, with `;` between them: at most 250 of 250 characters.
    OtherMails = "otherMails", 62749;
    /// Division in the company. Written together with the cost center.
    Division = "employeeOrgData.division", 1024;
    /// Cost center. Written together with the division.
    CostCenter = "employeeOrgData.costCenter", 1024;
    /// `DisablePasswordExpiration`, `DisableStrongPassword`, both with a comma between them, or `None`.
    PasswordPolicies = "passwordPolicies", 64;
}

impl Attr {
    /// Whether Graph refuses to clear the attribute once it has a value.
    pub fn keeps_a_value(self) -> bool {
        matches!(
            self,
            Attr::UserPrincipalName | Attr::DisplayName | Attr::MailNickname | Attr::UsageLocation | Attr::Mail
        )
    }

    /// Whether Graph counts a change of it as a sensitive action, refused for role holders.
    /// <https://learn.microsoft.com/graph/api/resources/users>
    pub fn is_sensitive(self) -> bool {
        matches!(self, Attr::UserPrincipalName | Attr::BusinessPhones | Attr::MobilePhone | Attr::OtherMails)
    }

    /// Which `extensionAttribute` it is, 1 to 15.
    pub fn extension_number(self) -> Option<u8> {
        let first = Place::ExtensionAttribute1 as u8;
        self.place()?.checked_sub(first).map(|n| n + 1).filter(|n| *n <= 15)
    }

    /// The directory extension that it is.
    pub fn directory_extension(self) -> Option<DirectoryExtension> {
        match self {
            Attr::Directory(extension) => Some(extension),
            _ => None,
        }
    }

    /// The attribute that Graph clears unless it is written in the same request.
    /// <https://learn.microsoft.com/graph/api/resources/employeeorgdata>
    pub fn written_with(self) -> Option<Attr> {
        match self {
            Attr::Division => Some(Attr::CostCenter),
            Attr::CostCenter => Some(Attr::Division),
            _ => None,
        }
    }

    /// Graph's property that holds the attribute, and its member there.
    pub fn member(self) -> (&'static str, Option<&'static str>) {
        match self.name().split_once('.') {
            Some((property, member)) => (property, Some(member)),
            None => (self.name(), None),
        }
    }

    /// The parts of a value that is a list; the whole value where the attribute is none.
    pub fn parts(self, value: &str) -> impl Iterator<Item = &str> {
        let list = matches!(self, Attr::OtherMails | Attr::PasswordPolicies);
        let between = move |c: char| list && matches!(c, ';' | ',' | '\n');
        value.split(between).map(move |part| if list { part.trim() } else { part }).filter(|part| !part.is_empty())
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Attr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Attr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Attr::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown attribute {name}")))
    }
}
