//! The switches: where the real service's answer is not documented, or differs between tenants, a test chooses.

use serde::{Deserialize, Serialize};

/// An answer that tenants give differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// The call succeeds.
    Accept,
    /// The call is refused.
    Refuse,
}

/// Behaviour switches. Every field has a default, so a seed names only what it changes.
#[expect(clippy::struct_excessive_bools, reason = "independent switches, not a mode")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SimOptions {
    /// Seed of all randomness (ids, replicas, shuffling, replays).
    pub seed: u64,
    /// Life of an access token in seconds; 3599 in the documented sample.
    pub token_seconds: u32,
    /// Claim that a soft-deleted user's immutable ID is still taken. Default true.
    pub deleted_immutable_ids_reserved: bool,
    /// `manager@odata.bind` while creating a user. Default accept.
    pub manager_bind_on_create: Reaction,
    /// Name the property in federated refusals instead of the generic message. Default false.
    pub name_federated_property: bool,
    /// Setting a first immutable ID on a user of a federated domain. Default refuse.
    pub first_immutable_id_in_federated_domain: Reaction,
    /// Moving a user from one federated domain straight to another. Default refuse.
    pub federated_to_federated: Reaction,
    /// Moving a user from a federated to a managed domain demands a password in the same call. Default false.
    pub federated_to_managed_demands_password: bool,
    /// Purging a user with application permissions. Default accept.
    pub purge_app_only: Reaction,
    /// Listing contacts (refused for want of licence or permission in some tenants). Default accept.
    pub read_contacts: Reaction,
    /// Reading `/directoryRoles` and role assignments. Default accept.
    pub read_roles: Reaction,
    /// `accountEnabled` of a synced user. Default accept.
    pub account_enabled_of_synced: Reaction,
    /// An Exchange licence makes Exchange the master of `mail`. Default true.
    pub exchange_masters_mail: bool,
    /// A UPN change of a licensed mailbox user moves the primary address too. Default true.
    pub upn_change_moves_primary: bool,
    /// Any PATCH of an object with an address that another object holds as well is refused. Default true.
    pub latent_address_conflicts: bool,
    /// A restore that conflicts answers 409 instead of 400. Default false.
    pub restore_conflict_is_409: bool,
    /// Uniqueness refusals come as 409 `Request_MultipleObjectsWithSameKeyValue`. Default false.
    pub conflict_is_409: bool,
    /// Uniqueness refusals name the other object. Older responses lacked it. Default true.
    pub name_conflicting_objects: bool,
    /// The tenant has more service principals than the listing of directory extensions takes: it is empty. Default false.
    pub many_service_principals: bool,
    /// `revokeSignInSessions` answers 204 instead of 200 with a Boolean. Default false.
    pub revoke_answers_204: bool,
    /// Removing from a group who is no member answers 400 instead of 404. Default false.
    pub removing_a_stranger_is_400: bool,
    /// Page size of collections when `$top` is not given.
    pub page_size: usize,
    /// Largest `$top`.
    pub max_top: usize,
    /// At most so many objects on a page, whatever `$top` asks for.
    pub page_cap: Option<usize>,
    /// Objects per delta page.
    pub delta_page_size: usize,
    /// Life of a list page token in seconds.
    pub page_token_seconds: u32,
    /// Life of a delta token in days.
    pub delta_token_days: u32,
    /// Days a soft-deleted object can be restored.
    pub deleted_days: u32,
    /// Objects the tenant may hold; 0 is no limit.
    pub object_quota: usize,
    /// Traps of delta.
    pub delta: DeltaTraps,
    /// Replication.
    pub lag: Lag,
    /// Quotas.
    pub throttle: Throttle,
    /// Shuffle the responses of a batch. Default true.
    pub shuffle_batch: bool,
    /// How far a client's clock may be off, in seconds. Default 300.
    pub assertion_skew_seconds: u32,
    /// A certificate assertion presented a second time. Default refuse.
    pub assertion_replay: Reaction,
    /// How long after its making a federated credential is not known everywhere, in seconds. Default 300.
    pub federation_delay_seconds: u32,
    /// How often a request fails meanwhile: a probability. Default 0.5.
    pub federation_delay_refusals: f64,
    /// What an app-only token request gets before consent. Default not found.
    pub before_consent: BeforeConsent,
    /// How long consent takes to arrive, in seconds. Default 0.
    pub consent_delay_seconds: u32,
    /// Tenants (ids or domains) that live in another national cloud.
    pub other_cloud_tenants: Vec<String>,
    /// Conditional Access.
    pub conditional_access: Vec<AccessPolicy>,
    /// Token requests of one client and grant per five minutes before they look like a loop; 0 is no limit.
    pub client_loop_limit: u32,
    /// Days after which an unused refresh token is dead. Default 90.
    pub refresh_token_days: u32,
    /// Life of an authorization code in seconds. Default 600.
    pub code_seconds: u32,
    /// What an authorization request with a `login_hint` does. Default page.
    pub login_hint: LoginHint,
    /// A photo for a user without a mailbox. Default refuse.
    pub photo_without_mailbox: Reaction,
    /// How Entra Connect is kept in check.
    pub connect: ConnectRules,
    /// A sign-in that a federated domain asserts for somebody of another domain is refused
    /// (<https://learn.microsoft.com/graph/api/resources/federatedtokenvalidationpolicy>). Default true.
    pub federated_token_validation: bool,
    /// Devices that are joined to a directory and to the tenant. Default 0.
    pub hybrid_devices: u32,
}

/// What an app-only token request gets before an administrator consented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BeforeConsent {
    /// `AADSTS700016`: there is no service principal yet.
    #[default]
    NotFound,
    /// A token without roles.
    NoRoles,
}

/// What an authorization request with a `login_hint` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginHint {
    /// The page is shown all the same.
    #[default]
    Page,
    /// The user it names is signed in at once.
    Auto,
}

/// A Conditional Access policy for one principal
/// (<https://learn.microsoft.com/entra/identity/conditional-access/overview>).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AccessPolicy {
    /// A user (UPN or id) or an application (client id).
    pub principal: String,
    /// What it asks of them.
    pub demand: Demand,
}

/// What a Conditional Access policy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Demand {
    /// No token at all (53003).
    Block,
    /// A second factor (50076).
    Multifactor,
    /// A compliant device (53000).
    CompliantDevice,
    /// A fresh sign-in (70043).
    SignInFrequency,
}

/// The tenant's rules for Entra Connect
/// (<https://learn.microsoft.com/graph/api/onpremisesdirectorysynchronization-update>, and the hardening of 2026,
/// MC1262584 and MC1263280).
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the service, under its own names")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ConnectRules {
    /// `blockSoftMatchEnabled`. Default false.
    pub block_soft_match: bool,
    /// `blockCloudObjectTakeoverThroughHardMatchEnabled`. Default false.
    pub block_hard_match: bool,
    /// `softMatchOnUpnEnabled`. Default true.
    pub soft_match_on_upn: bool,
    /// Hard match onto cloud-managed role holders is refused (2026). Default true.
    pub harden_role_holders: bool,
    /// An `onPremisesObjectIdentifier` that is set cannot be changed (2026). Default true.
    pub harden_object_identifier: bool,
    /// A new object whose UPN or address is taken is provisioned with a placeholder or without. Default true.
    pub quarantine_duplicates: bool,
    /// More removals than this in one run stop it. Default 500.
    pub deletion_threshold: usize,
}

impl Default for ConnectRules {
    fn default() -> Self {
        Self {
            block_soft_match: false,
            block_hard_match: false,
            soft_match_on_upn: true,
            harden_role_holders: true,
            harden_object_identifier: true,
            quarantine_duplicates: true,
            deletion_threshold: 500,
        }
    }
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            token_seconds: 3599,
            deleted_immutable_ids_reserved: true,
            manager_bind_on_create: Reaction::Accept,
            name_federated_property: false,
            first_immutable_id_in_federated_domain: Reaction::Refuse,
            federated_to_federated: Reaction::Refuse,
            federated_to_managed_demands_password: false,
            purge_app_only: Reaction::Accept,
            read_contacts: Reaction::Accept,
            read_roles: Reaction::Accept,
            account_enabled_of_synced: Reaction::Accept,
            exchange_masters_mail: true,
            upn_change_moves_primary: true,
            latent_address_conflicts: true,
            restore_conflict_is_409: false,
            conflict_is_409: false,
            name_conflicting_objects: true,
            many_service_principals: false,
            revoke_answers_204: false,
            removing_a_stranger_is_400: false,
            page_size: 100,
            max_top: 999,
            page_cap: None,
            delta_page_size: 200,
            page_token_seconds: 600,
            delta_token_days: 7,
            deleted_days: 30,
            object_quota: 0,
            delta: DeltaTraps::default(),
            lag: Lag::default(),
            throttle: Throttle::default(),
            shuffle_batch: true,
            assertion_skew_seconds: 300,
            assertion_replay: Reaction::Refuse,
            federation_delay_seconds: 300,
            federation_delay_refusals: 0.5,
            before_consent: BeforeConsent::default(),
            consent_delay_seconds: 0,
            other_cloud_tenants: Vec::new(),
            conditional_access: Vec::new(),
            client_loop_limit: 0,
            refresh_token_days: 90,
            code_seconds: 600,
            login_hint: LoginHint::default(),
            photo_without_mailbox: Reaction::Refuse,
            connect: ConnectRules::default(),
            federated_token_validation: true,
            hybrid_devices: 0,
        }
    }
}

/// Behaviours of delta that the documentation warns of
/// (<https://learn.microsoft.com/graph/delta-query-overview>). Probabilities, all 0 by default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct DeltaTraps {
    /// A page is empty and still has a next link.
    pub empty_pages: f64,
    /// An object of an earlier page comes again.
    pub duplicates: f64,
    /// A round starts some changes earlier than its token.
    pub replays: f64,
    /// Purged objects also show up, as removed, in the first round. Not a probability.
    pub removed_in_first_round: bool,
    /// A changed object comes with its id and the changed properties only, whatever was asked for: more is not promised
    /// (<https://learn.microsoft.com/graph/delta-query-users>). Not a probability.
    pub changed_only: bool,
}

/// How late a write becomes visible, in milliseconds. All 0 by default: everything is visible at once.
///
/// With one replica every read is late by the full time. With more, a read is sent to one of them by seeded choice:
/// the first sees everything at once, the last is late by the full time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Lag {
    /// Reads of one object.
    pub reads_ms: u32,
    /// Lists and filters.
    pub lists_ms: u32,
    /// Delta. At least as late as reads and lists, so that what they missed comes after the token of that moment.
    pub delta_ms: u32,
    /// Writes that name a brand-new object answer 404 for so long.
    pub writes_ms: u32,
    /// Federated-domain rules, and licences that ask for a usage location, look at the user as it was so long ago (a
    /// refusal just after the move away, or just after the location was set).
    pub rules_ms: u32,
    /// A UPN moved away so recently still counts as taken, by the user itself.
    pub uniqueness_ms: u32,
    /// How many replicas answer.
    pub replicas: u32,
    /// Every new object is seen later than others by up to so much, each by a time of its own.
    pub per_object_ms: u32,
}

impl Default for Lag {
    fn default() -> Self {
        Self {
            reads_ms: 0,
            lists_ms: 0,
            delta_ms: 0,
            writes_ms: 0,
            rules_ms: 0,
            uniqueness_ms: 0,
            replicas: 1,
            per_object_ms: 0,
        }
    }
}

impl Lag {
    /// How far back delta looks.
    pub(crate) fn delta(&self) -> i64 {
        i64::from(self.delta_ms.max(self.reads_ms).max(self.lists_ms))
    }

    pub(crate) fn longest(&self) -> i64 {
        self.delta().max(i64::from(self.writes_ms)).max(i64::from(self.rules_ms)).max(i64::from(self.uniqueness_ms))
    }
}

/// Quotas of the identity service (<https://learn.microsoft.com/graph/throttling-limits>).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Throttle {
    /// Whether quotas are enforced at all. Default true.
    pub enabled: bool,
    /// Writes per app and tenant: the bucket.
    pub writes: u32,
    /// The seconds in which the bucket of writes refills.
    pub writes_seconds: u32,
    /// Writes of all apps in the tenant per five minutes.
    pub tenant_writes: u32,
    /// Resource units per ten seconds; 0 follows the size of the tenant (3,500, 5,000, 8,000).
    pub units: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { enabled: true, writes: 3_000, writes_seconds: 150, tenant_writes: 18_000, units: 0 }
    }
}
