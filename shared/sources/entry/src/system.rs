//! Accounts that a directory and Exchange keep for themselves. They stand in every unfiltered export, and are nobody.

/// `userAccountControl`: trusts between domains, and computers.
/// <https://learn.microsoft.com/troubleshoot/windows-server/active-directory/useraccountcontrol-manipulate-account-properties>
const MACHINES: i64 = 0x800 | 0x1000 | 0x2000;

/// `msExchRecipientTypeDetails` of mailboxes that Exchange keeps for itself: system, arbitration, discovery, public
/// folder, monitoring, group and audit log mailboxes.
/// <https://learn.microsoft.com/exchange/troubleshoot/user-and-shared-mailboxes/recipienttypedetails-values>
const OWN_MAILBOXES: [i64; 8] =
    [0x2000, 0x4000, 0x80_0000, 0x2000_0000, 0x10_0000_0000, 0x80_0000_0000, 0x100_0000_0000, 0x400_0000_0000];

/// Whether `userAccountControl` is a machine's.
pub(crate) fn is_machine(control: i64) -> bool {
    control & MACHINES != 0
}

/// Whether Exchange keeps the mailbox for itself.
pub(crate) fn is_own_mailbox(kind: i64) -> bool {
    OWN_MAILBOXES.contains(&kind)
}

/// Whether the name (a `sAMAccountName`, a common name or a DN) is one that a directory or Exchange gives its own.
pub(crate) fn is_own_name(name: &str) -> bool {
    let name = name.trim();
    let name = name.get(..3).filter(|start| start.eq_ignore_ascii_case("cn=")).map_or(name, |_| &name[3..]);
    let name = name.split(',').next().unwrap_or_default().trim();
    let begins = |start: &str| name.get(..start.len()).is_some_and(|have| have.eq_ignore_ascii_case(start));
    let rest = |start: &str| name.get(start.len()..).unwrap_or_default();
    name.eq_ignore_ascii_case("krbtgt")
        || begins("krbtgt_")
        || begins("SystemMailbox{")
        || begins("DiscoverySearchMailbox {")
        || begins("FederatedEmail.4c1f4d8b")
        || begins("Migration.8f3e7716")
        || begins("Exchange Online-ApplicationAccount")
        || (begins("HealthMailbox") && rest("HealthMailbox").len() >= 5 && is_hex(rest("HealthMailbox")))
        || (begins("HealthMailbox-"))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_are_nobodys_are_known_by_name_and_bits() {
        for name in [
            "krbtgt",
            "krbtgt_AzureAD",
            "CN=SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c},OU=Staff,DC=x",
            "HealthMailbox0659e34",
            "DiscoverySearchMailbox {D919BA05-46A6-415f-80AD-7E09334BB852}",
        ] {
            assert!(is_own_name(name), "{name}");
        }
        for name in ["Real Person", "HealthMailboxer", "Ann HealthMailbox0659e34", "MSOL_0f6b6c1d7d0a", "", "CN="] {
            assert!(!is_own_name(name), "{name}");
        }
        assert!(is_machine(2080) && is_machine(4096) && !is_machine(512) && !is_machine(66_050));
    }
}
