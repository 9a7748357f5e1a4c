//! The source attributes that are understood by name: Active Directory's, Graph's and what exports usually call them.

use hardmatch_domain::attribute::Attr;

/// What a source attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// An account attribute; of several columns the lowest rank that has a value wins.
    Text(Attr, u8),
    /// `co`, else `country`, else `c`.
    CountryName,
    /// `c`: two letters.
    CountryCode,
    /// `objectGUID`: the 16 bytes that Active Directory never changes.
    ObjectGuid,
    /// `mS-DS-ConsistencyGuid`: the anchor that Microsoft's sync writes.
    ConsistencyGuid,
    /// `entryUUID` of other directories.
    EntryUuid,
    /// A mail address.
    Mail,
    /// All addresses, each with its type.
    ProxyAddresses,
    /// The distinguished name.
    Dn,
    /// `sAMAccountName`.
    Sam,
    /// `uid`.
    Uid,
    /// `objectSid`.
    Sid,
    /// `employeeNumber`.
    EmployeeNumber,
    /// A key of another system.
    Id,
    /// Who the manager is: a DN, key or name.
    Manager,
    /// Groups that the person is in.
    Groups,
    /// `userAccountControl`: a bit field.
    UserAccountControl,
    /// `msDS-User-Account-Control-Computed`: the bits that are computed on reading.
    ComputedControl,
    /// When the account ends.
    AccountExpires,
    /// Whether the person may sign in.
    Enabled,
    /// Whether the password has expired.
    PasswordExpired,
    /// `isCriticalSystemObject`: the directory's own accounts.
    CriticalSystem,
    /// `msExchRecipientTypeDetails`: mailboxes of people and of Exchange itself.
    RecipientType,
    /// Understood by nothing here, but well known: not a misspelling when an expression names it.
    Plain,
}

/// The names that [`crate::ColumnMapping::columns`], `anchor.from` and `source.key` may use, as their directories write them.
/// The first name of a meaning is the one to show.
pub fn known_attributes() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// What the name says, without regard to case.
pub fn meaning(name: &str) -> Option<Meaning> {
    let name = name.trim();
    KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, meaning)| *meaning)
}

/// The name to show for what `name` says.
pub fn canonical(name: &str) -> Option<&'static str> {
    let wanted = meaning(name)?;
    KNOWN
        .iter()
        .find(|(known, have)| match (*have, wanted) {
            (Meaning::Plain, Meaning::Plain) => known.eq_ignore_ascii_case(name.trim()),
            (Meaning::Text(have, _), Meaning::Text(wanted, _)) => have == wanted,
            (have, wanted) => have == wanted,
        })
        .map(|(known, _)| *known)
}

const KNOWN: &[(&str, Meaning)] = &[
    ("objectGUID", Meaning::ObjectGuid),
    ("mS-DS-ConsistencyGuid", Meaning::ConsistencyGuid),
    ("entryUUID", Meaning::EntryUuid),
    ("userPrincipalName", Meaning::Text(Attr::UserPrincipalName, 0)),
    ("upn", Meaning::Text(Attr::UserPrincipalName, 1)),
    ("mail", Meaning::Mail),
    ("email", Meaning::Mail),
    ("emailAddress", Meaning::Mail),
    ("proxyAddresses", Meaning::ProxyAddresses),
    ("sAMAccountName", Meaning::Sam),
    ("distinguishedName", Meaning::Dn),
    ("dn", Meaning::Dn),
    ("uid", Meaning::Uid),
    ("objectSid", Meaning::Sid),
    ("SID", Meaning::Sid),
    ("mailNickname", Meaning::Text(Attr::MailNickname, 0)),
    ("displayName", Meaning::Text(Attr::DisplayName, 0)),
    ("cn", Meaning::Text(Attr::DisplayName, 1)),
    ("givenName", Meaning::Text(Attr::GivenName, 0)),
    ("firstName", Meaning::Text(Attr::GivenName, 1)),
    ("sn", Meaning::Text(Attr::Surname, 0)),
    ("surname", Meaning::Text(Attr::Surname, 1)),
    ("lastName", Meaning::Text(Attr::Surname, 2)),
    ("title", Meaning::Text(Attr::JobTitle, 0)),
    ("jobTitle", Meaning::Text(Attr::JobTitle, 1)),
    ("department", Meaning::Text(Attr::Department, 0)),
    ("company", Meaning::Text(Attr::CompanyName, 0)),
    ("companyName", Meaning::Text(Attr::CompanyName, 1)),
    ("employeeID", Meaning::Text(Attr::EmployeeId, 0)),
    ("employeeNumber", Meaning::EmployeeNumber),
    ("employeeType", Meaning::Text(Attr::EmployeeType, 0)),
    ("physicalDeliveryOfficeName", Meaning::Text(Attr::OfficeLocation, 0)),
    ("officeLocation", Meaning::Text(Attr::OfficeLocation, 1)),
    ("office", Meaning::Text(Attr::OfficeLocation, 2)),
    ("streetAddress", Meaning::Text(Attr::StreetAddress, 0)),
    ("street", Meaning::Text(Attr::StreetAddress, 1)),
    ("l", Meaning::Text(Attr::City, 0)),
    ("city", Meaning::Text(Attr::City, 1)),
    ("st", Meaning::Text(Attr::State, 0)),
    ("state", Meaning::Text(Attr::State, 1)),
    ("postalCode", Meaning::Text(Attr::PostalCode, 0)),
    ("c", Meaning::CountryCode),
    ("co", Meaning::CountryName),
    ("country", Meaning::CountryName),
    ("usageLocation", Meaning::Text(Attr::UsageLocation, 0)),
    ("telephoneNumber", Meaning::Text(Attr::BusinessPhones, 0)),
    ("businessPhones", Meaning::Text(Attr::BusinessPhones, 1)),
    ("officePhone", Meaning::Text(Attr::BusinessPhones, 2)),
    ("mobile", Meaning::Text(Attr::MobilePhone, 0)),
    ("mobilePhone", Meaning::Text(Attr::MobilePhone, 1)),
    ("facsimileTelephoneNumber", Meaning::Text(Attr::FaxNumber, 0)),
    ("faxNumber", Meaning::Text(Attr::FaxNumber, 1)),
    ("preferredLanguage", Meaning::Text(Attr::PreferredLanguage, 0)),
    ("otherMails", Meaning::Text(Attr::OtherMails, 0)),
    ("employeeOrgData.division", Meaning::Text(Attr::Division, 0)),
    ("employeeOrgData.costCenter", Meaning::Text(Attr::CostCenter, 0)),
    ("passwordPolicies", Meaning::Text(Attr::PasswordPolicies, 0)),
    ("manager", Meaning::Manager),
    ("memberOf", Meaning::Groups),
    ("groups", Meaning::Groups),
    ("userAccountControl", Meaning::UserAccountControl),
    ("msDS-User-Account-Control-Computed", Meaning::ComputedControl),
    ("accountExpires", Meaning::AccountExpires),
    ("AccountExpirationDate", Meaning::AccountExpires),
    ("enabled", Meaning::Enabled),
    ("accountEnabled", Meaning::Enabled),
    ("active", Meaning::Enabled),
    ("passwordExpired", Meaning::PasswordExpired),
    ("isCriticalSystemObject", Meaning::CriticalSystem),
    ("msExchRecipientTypeDetails", Meaning::RecipientType),
    ("extensionAttribute1", Meaning::Text(Attr::ExtensionAttribute1, 0)),
    ("msDS-cloudExtensionAttribute1", Meaning::Text(Attr::ExtensionAttribute1, 1)),
    ("extensionAttribute2", Meaning::Text(Attr::ExtensionAttribute2, 0)),
    ("msDS-cloudExtensionAttribute2", Meaning::Text(Attr::ExtensionAttribute2, 1)),
    ("extensionAttribute3", Meaning::Text(Attr::ExtensionAttribute3, 0)),
    ("msDS-cloudExtensionAttribute3", Meaning::Text(Attr::ExtensionAttribute3, 1)),
    ("extensionAttribute4", Meaning::Text(Attr::ExtensionAttribute4, 0)),
    ("msDS-cloudExtensionAttribute4", Meaning::Text(Attr::ExtensionAttribute4, 1)),
    ("extensionAttribute5", Meaning::Text(Attr::ExtensionAttribute5, 0)),
    ("msDS-cloudExtensionAttribute5", Meaning::Text(Attr::ExtensionAttribute5, 1)),
    ("extensionAttribute6", Meaning::Text(Attr::ExtensionAttribute6, 0)),
    ("msDS-cloudExtensionAttribute6", Meaning::Text(Attr::ExtensionAttribute6, 1)),
    ("extensionAttribute7", Meaning::Text(Attr::ExtensionAttribute7, 0)),
    ("msDS-cloudExtensionAttribute7", Meaning::Text(Attr::ExtensionAttribute7, 1)),
    ("extensionAttribute8", Meaning::Text(Attr::ExtensionAttribute8, 0)),
    ("msDS-cloudExtensionAttribute8", Meaning::Text(Attr::ExtensionAttribute8, 1)),
    ("extensionAttribute9", Meaning::Text(Attr::ExtensionAttribute9, 0)),
    ("msDS-cloudExtensionAttribute9", Meaning::Text(Attr::ExtensionAttribute9, 1)),
    ("extensionAttribute10", Meaning::Text(Attr::ExtensionAttribute10, 0)),
    ("msDS-cloudExtensionAttribute10", Meaning::Text(Attr::ExtensionAttribute10, 1)),
    ("extensionAttribute11", Meaning::Text(Attr::ExtensionAttribute11, 0)),
    ("msDS-cloudExtensionAttribute11", Meaning::Text(Attr::ExtensionAttribute11, 1)),
    ("extensionAttribute12", Meaning::Text(Attr::ExtensionAttribute12, 0)),
    ("msDS-cloudExtensionAttribute12", Meaning::Text(Attr::ExtensionAttribute12, 1)),
    ("extensionAttribute13", Meaning::Text(Attr::ExtensionAttribute13, 0)),
    ("msDS-cloudExtensionAttribute13", Meaning::Text(Attr::ExtensionAttribute13, 1)),
    ("extensionAttribute14", Meaning::Text(Attr::ExtensionAttribute14, 0)),
    ("msDS-cloudExtensionAttribute14", Meaning::Text(Attr::ExtensionAttribute14, 1)),
    ("extensionAttribute15", Meaning::Text(Attr::ExtensionAttribute15, 0)),
    ("msDS-cloudExtensionAttribute15", Meaning::Text(Attr::ExtensionAttribute15, 1)),
    ("id", Meaning::Id),
    ("objectClass", Meaning::Plain),
    ("pwdLastSet", Meaning::Plain),
    ("lockoutTime", Meaning::Plain),
    ("lastLogonTimestamp", Meaning::Plain),
    ("whenCreated", Meaning::Plain),
    ("whenChanged", Meaning::Plain),
    ("name", Meaning::Plain),
    ("initials", Meaning::Plain),
    ("description", Meaning::Plain),
    ("info", Meaning::Plain),
    ("division", Meaning::Plain),
    ("countryCode", Meaning::Plain),
    ("homePhone", Meaning::Plain),
    ("pager", Meaning::Plain),
    ("ipPhone", Meaning::Plain),
    ("wWWHomePage", Meaning::Plain),
    ("postOfficeBox", Meaning::Plain),
    ("employeeHireDate", Meaning::Plain),
    ("primaryGroupID", Meaning::Plain),
    ("objectCategory", Meaning::Plain),
    ("uidNumber", Meaning::Plain),
    ("gidNumber", Meaning::Plain),
    ("o", Meaning::Plain),
    ("ou", Meaning::Plain),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_once() {
        let mut names: Vec<String> = known_attributes().map(str::to_lowercase).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn case_and_spaces_do_not_matter() {
        assert_eq!(meaning(" OBJECTguid"), Some(Meaning::ObjectGuid));
        assert_eq!(meaning("SN"), Some(Meaning::Text(Attr::Surname, 0)));
        assert_eq!(meaning("Abteilung"), None);
        assert_eq!(canonical("jobtitle"), Some("title"));
        assert_eq!(canonical("pager"), Some("pager"));
        assert_eq!(canonical("Email"), Some("mail"));
    }
}
