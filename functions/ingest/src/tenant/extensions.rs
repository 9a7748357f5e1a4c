//! Directory extensions: with which ones accounts are read, whether the tenant knows those that a policy maps, and what a
//! sighting says of the others.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::{Attr, DirectoryExtension};
use hardmatch_domain::policy::Policy;
use hardmatch_ports::TenantError;
use hardmatch_ports::tenant::{RegisteredExtension, Retry};

use super::stop::is_withheld;
use crate::ports::TenantPorts;

/// The directory extensions that accounts are read with, by name.
pub(super) fn read_with(ports: &TenantPorts) -> Vec<Attr> {
    ports.tenant.extensions().iter().copied().map(Attr::Directory).collect()
}

/// Refuses a policy that maps an extension which the tenant does not have for users, or whose values are no single text:
/// each write of it would be refused, and the first of them is the creation of an account. A tenant that does not tell
/// its extensions refuses the reading itself.
pub(super) async fn known_extensions(ports: &TenantPorts, policy: &Policy) -> Result<(), TenantError> {
    let mapped: Vec<DirectoryExtension> = policy.directory_extensions().collect();
    if mapped.is_empty() {
        return Ok(());
    }
    let read = ports.tenant.extensions();
    if let Some(unread) = mapped.iter().find(|extension| !read.contains(extension)) {
        return Err(refused(
            "configuration_changed",
            format!(
                "The configuration changed after this run had begun: accounts are no longer read with {}. Run again.",
                unread.name()
            ),
        ));
    }
    let registered = match ports.tenant.registered_extensions().await {
        Ok(registered) => registered,
        Err(error) if is_withheld(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    // Of a tenant with many applications the service tells none.
    if registered.is_empty() {
        return Ok(());
    }
    match mapped.iter().find_map(|extension| unusable(*extension, &registered)) {
        Some(why) => Err(refused("unknown_extension", why)),
        None => Ok(()),
    }
}

/// Why an extension cannot be written; `None` where it can.
fn unusable(extension: DirectoryExtension, registered: &[RegisteredExtension]) -> Option<String> {
    let name = extension.name();
    let Some(known) = registered.iter().find(|known| known.name == name) else {
        let of_users = registered.iter().filter(|known| known.of_users && known.data_type == "String");
        let names: Vec<&str> = of_users.map(|known| known.name.as_str()).take(NAMED).collect();
        let has = if names.is_empty() { "none of texts".to_owned() } else { names.join(", ") };
        return Some(format!(
            "[attributes] maps {name}, and no application has registered a directory extension of that name. The tenant \
             has for users: {has}. Correct the name, or register the extension."
        ));
    };
    if !known.of_users {
        return Some(format!(
            "[attributes] maps {name}, which is not registered for users. Register an extension whose targetObjects name User."
        ));
    }
    if known.multiple || known.data_type != "String" {
        let kind = if known.multiple { "has several values" } else { "is no text" };
        return Some(format!(
            "[attributes] maps {name}, which {kind} (its type is {}). Only extensions of type String with one value are \
             written. Register one, or map one of extensionAttribute1 to extensionAttribute15.",
            known.data_type
        ));
    }
    None
}

/// Names that an error lists at most.
const NAMED: usize = 20;

fn refused(code: &str, message: String) -> TenantError {
    TenantError { retry: Retry::Never, status: 0, code: code.to_owned(), message, request_id: String::new() }
}

/// A sighting completed from the mirror: it says nothing of extensions that it was not read with. Another connection of the
/// tenant may map them.
pub(super) fn completed(mut seen: Account, old: &Account, read: &[Attr]) -> Account {
    let unread = || old.attributes.extensions().map(|(extension, value)| (Attr::Directory(extension), value));
    let unread = || unread().filter(|(attr, _)| !read.contains(attr));
    if unread().next().is_some() {
        seen.attributes = seen.attributes.iter().chain(unread()).collect();
    }
    seen
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::Attributes;
    use hardmatch_domain::ids::ObjectId;

    use super::*;

    fn extension(own: &str) -> DirectoryExtension {
        DirectoryExtension::parse(&format!("extension_b7d8e648520f41d3b9c0fdeb91768a0a_{own}")).unwrap()
    }

    fn account(values: &[(&str, &str)]) -> Account {
        let pairs = values.iter().map(|(own, value)| (Attr::Directory(extension(own)), *value));
        Account { attributes: Attributes::from_pairs(pairs), ..Account::blank(ObjectId::from("a1")) }
    }

    #[test]
    fn a_sighting_says_nothing_of_extensions_that_were_not_read() {
        let read = [Attr::Directory(extension("ours"))];
        let old = account(&[("ours", "1"), ("theirs", "2")]);
        assert_eq!(completed(account(&[]), &old, &read), account(&[("theirs", "2")]), "ours was cleared");
        assert_eq!(completed(account(&[("ours", "3")]), &old, &read), account(&[("ours", "3"), ("theirs", "2")]));
    }

    #[test]
    fn only_a_single_text_of_users_is_usable() {
        let registered = |data_type: &str, multiple: bool, of_users: bool| RegisteredExtension {
            name: extension("badge").name().to_owned(),
            data_type: data_type.to_owned(),
            multiple,
            of_users,
        };
        let why = |known: RegisteredExtension| unusable(extension("badge"), &[known]);
        assert_eq!(why(registered("String", false, true)), None);
        for (known, word) in [
            (registered("Boolean", false, true), "is no text"),
            (registered("String", true, true), "several values"),
            (registered("String", false, false), "not registered for users"),
        ] {
            let said = why(known).unwrap();
            assert!(said.contains(word) && said.contains("Register"), "{said}");
        }
        let said = unusable(extension("bagde"), &[registered("String", false, true)]).unwrap();
        assert!(said.contains("The tenant has for users: extension_b7d8e648520f41d3b9c0fdeb91768a0a_badge."), "{said}");
    }
}
