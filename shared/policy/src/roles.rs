//! The names of Microsoft Entra's built-in directory roles. Roles are never given by rule: a person who can change an
//! attribute at the source must not become an administrator.
//! <https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference>

/// In alphabetical order, lower case.
const BUILT_IN: [&str; 62] = [
    "application administrator",
    "application developer",
    "attack payload author",
    "attack simulation administrator",
    "attribute assignment administrator",
    "attribute definition administrator",
    "authentication administrator",
    "authentication policy administrator",
    "azure devops administrator",
    "azure information protection administrator",
    "b2c ief keyset administrator",
    "b2c ief policy administrator",
    "billing administrator",
    "cloud app security administrator",
    "cloud application administrator",
    "cloud device administrator",
    "company administrator",
    "compliance administrator",
    "compliance data administrator",
    "conditional access administrator",
    "customer lockbox access approver",
    "directory readers",
    "directory synchronization accounts",
    "directory writers",
    "domain name administrator",
    "dynamics 365 administrator",
    "edge administrator",
    "exchange administrator",
    "exchange recipient administrator",
    "external id user flow administrator",
    "external identity provider administrator",
    "fabric administrator",
    "global administrator",
    "global reader",
    "global secure access administrator",
    "groups administrator",
    "guest inviter",
    "helpdesk administrator",
    "hybrid identity administrator",
    "identity governance administrator",
    "intune administrator",
    "knowledge administrator",
    "license administrator",
    "lifecycle workflows administrator",
    "message center reader",
    "office apps administrator",
    "partner tier1 support",
    "partner tier2 support",
    "password administrator",
    "permissions management administrator",
    "power platform administrator",
    "printer administrator",
    "privileged authentication administrator",
    "privileged role administrator",
    "security administrator",
    "security operator",
    "security reader",
    "service support administrator",
    "sharepoint administrator",
    "skype for business administrator",
    "teams administrator",
    "user administrator",
];

/// Whether a text is the name of a built-in directory role, without regard to case.
pub(crate) fn is_directory_role(name: &str) -> bool {
    BUILT_IN.binary_search(&name.trim().to_lowercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_roles_are_found_whatever_their_case() {
        assert!(BUILT_IN.is_sorted());
        assert!(BUILT_IN.iter().all(|name| is_directory_role(&name.to_uppercase())));
        assert!(!is_directory_role("Sales") && !is_directory_role("Administrators") && !is_directory_role(""));
    }
}
