//! Which application permission covers which operation
//! (<https://github.com/microsoftgraph/microsoft-graph-devx-content/blob/master/permissions/new/permissions.json>).

use crate::answer::{Outcome, Refusal};
use crate::caller::Caller;
use crate::object::Mask;
use crate::route::Op;
use crate::schema::{Kind, at};

/// Whether the caller may do this at all. Updates of a user are judged by [`covers`].
pub(crate) fn allows(caller: &Caller, op: Op) -> bool {
    let any = |list: &[&str]| caller.has_any(list);
    match op {
        Op::Batch | Op::UpdateUser => true,
        Op::List(Kind::User) | Op::Count(Kind::User) | Op::Get(Kind::User) | Op::MemberOf => {
            reads_users(caller) || caller.has("User.ReadBasic.All")
        }
        Op::Delta(Kind::User) | Op::GetManager | Op::ListDeleted(Kind::User) | Op::GetDeleted => reads_users(caller),
        Op::GetPhoto => {
            reads_users(caller) || any(&["User.ReadBasic.All", "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All"])
        }
        Op::SetPhoto => any(&["ProfilePhoto.ReadWrite.All", "User.ReadWrite.All"]),
        Op::CreateUser | Op::SetManager | Op::RemoveManager | Op::ReprocessLicense => {
            any(&["User.ReadWrite.All", "Directory.ReadWrite.All"])
        }
        // Directory.ReadWrite.All does not allow deleting users.
        Op::DeleteUser | Op::Restore => any(&["User.DeleteRestore.All", "User.ReadWrite.All"]),
        Op::Purge => caller.has("User.DeleteRestore.All"),
        Op::RevokeSessions => any(&["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"]),
        Op::AssignLicense => any(&["LicenseAssignment.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"]),
        Op::LicenseDetails => any(&[
            "LicenseAssignment.Read.All",
            "LicenseAssignment.ReadWrite.All",
            "Organization.Read.All",
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ]),
        Op::Skus => any(&[
            "LicenseAssignment.Read.All",
            "LicenseAssignment.ReadWrite.All",
            "Organization.Read.All",
            "Organization.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ]),
        Op::GetSyncBehavior | Op::SetSyncBehavior => caller.has("User-OnPremisesSyncBehavior.ReadWrite.All"),
        Op::List(Kind::Contact) | Op::Count(Kind::Contact) | Op::Get(Kind::Contact) | Op::Delta(Kind::Contact) => {
            any(&["OrgContact.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"])
        }
        Op::List(Kind::Group)
        | Op::Count(Kind::Group)
        | Op::Get(Kind::Group)
        | Op::Delta(Kind::Group)
        | Op::ListDeleted(_)
        | Op::ListOwners => reads_groups(caller),
        Op::ListMembers => reads_groups(caller) || caller.has("GroupMember.ReadBasic.All"),
        Op::CreateGroup => any(&["Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All"]),
        Op::UpdateGroup => any(&["Group.ReadWrite.All", "Directory.ReadWrite.All", "GroupMember.ReadWrite.All"]),
        Op::DeleteGroup => caller.has("Group.ReadWrite.All"),
        Op::AddMember | Op::RemoveMember | Op::BindOnRef => {
            any(&["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"])
        }
        // The documented trap: without /$ref the member itself is deleted.
        Op::DeleteThroughGroup => any(&["User.ReadWrite.All", "User.DeleteRestore.All"]),
        Op::AddOwner | Op::RemoveOwner => any(&["Group.ReadWrite.All", "Directory.ReadWrite.All"]),
        Op::Organization => {
            any(&[
                "Organization.Read.All",
                "Organization.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ]) || reads_users(caller)
                || caller.has("User.ReadBasic.All")
        }
        Op::Domains | Op::Domain => {
            any(&["Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"])
        }
        Op::FederationConfiguration => any(&[
            "Domain-InternalFederation.Read.All",
            "Domain-InternalFederation.ReadWrite.All",
            "Domain.Read.All",
            "Domain.ReadWrite.All",
        ]),
        Op::DirectorySynchronization => {
            any(&["OnPremDirectorySynchronization.Read.All", "OnPremDirectorySynchronization.ReadWrite.All"])
        }
        Op::Devices => any(&["Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"]),
        Op::TokenValidation => any(&["Policy.Read.All", "Policy.ReadWrite.FederatedTokenValidation"]),
        Op::DirectoryRoles | Op::RoleMembers | Op::RoleAssignments | Op::RoleDefinitions => any(&[
            "RoleManagement.Read.Directory",
            "RoleManagement.ReadWrite.Directory",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ]),
        // Reading the directory is not enough.
        Op::RoleEligibilities => any(&[
            "RoleEligibilitySchedule.Read.Directory",
            "RoleEligibilitySchedule.ReadWrite.Directory",
            "RoleManagement.Read.Directory",
            "RoleManagement.Read.All",
            "RoleManagement.ReadWrite.Directory",
        ]),
        Op::ServicePrincipal => any(&["Application.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"]),
        // Nothing less, even for one's own. <https://learn.microsoft.com/graph/api/directoryobject-getavailableextensionproperties>
        Op::AvailableExtensions => any(&["Directory.Read.All", "Directory.ReadWrite.All"]),
        Op::GetByIds => reads_users(caller) || reads_groups(caller) || caller.has("Directory.Read.All"),
    }
}

fn reads_users(caller: &Caller) -> bool {
    caller.has_any(&["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"])
}

fn reads_groups(caller: &Caller) -> bool {
    caller.has_any(&[
        "GroupMember.Read.All",
        "GroupMember.ReadWrite.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ])
}

/// Whether the caller may see when people signed in. <https://learn.microsoft.com/graph/api/resources/signinactivity>
pub(crate) fn sign_ins(caller: &Caller) -> Outcome<()> {
    if caller.has("AuditLog.Read.All") {
        return Ok(());
    }
    let code = "Authentication_MSGraphPermissionMissing";
    Err(Refusal::new(403, code, "Calling principal does not have required MSGraph permissions AuditLog.Read.All"))
}

/// With `User.ReadBasic.All` alone only these are filled.
pub(crate) fn readable(caller: &Caller) -> Mask {
    if reads_users(caller) {
        return Mask::ALL;
    }
    let mut mask = Mask::of(&[at::ID, at::DISPLAY_NAME, at::MAIL, at::UPN]);
    for name in ["givenName", "surname", "securityIdentifier"] {
        if let Some(prop) = Kind::User.find(name) {
            mask.add(prop);
        }
    }
    mask
}

/// Whether the caller's permissions cover every property of an update
/// (<https://learn.microsoft.com/graph/api/user-update>).
pub(crate) fn covers(caller: &Caller, props: &[u8]) -> bool {
    let wide = caller.has_any(&["User.ReadWrite.All", "Directory.ReadWrite.All"]);
    props.iter().all(|prop| match *prop {
        at::PASSWORD_PROFILE => caller.has("User-PasswordProfile.ReadWrite.All"),
        at::IDENTITIES => caller.has("User.ManageIdentities.All"),
        at::LEAVE_DATE => caller.has("User.Read.All") && caller.has("User-LifeCycleInfo.ReadWrite.All"),
        at::ACCOUNT_ENABLED => wide || caller.has("User.EnableDisableAccount.All") && caller.has("User.Read.All"),
        at::BUSINESS_PHONES | at::MOBILE_PHONE => wide || caller.has("User-Phone.ReadWrite.All"),
        at::OTHER_MAILS => wide || caller.has("User-Mail.ReadWrite.All"),
        at::IMMUTABLE_ID | at::UPN => wide,
        _ => wide || caller.has("User.ReadUpdate.All"),
    })
}
