//! Every key of the file: its kind, its default and what it does. The loader, the JSON Schema and the documentation
//! read this one table.

/// A table of the file.
pub(crate) struct Table {
    /// As written in brackets; empty for the top.
    pub(crate) path: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key of a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    pub(crate) doc: &'static str,
}

/// Whether a key must be there.
pub(crate) enum Need {
    Required,
    Optional,
    /// Optional, with a default as JSON.
    Default(&'static str),
}

/// What a key holds.
pub(crate) enum Kind {
    Text,
    /// One of these words. The second list is known words that this version does not carry out.
    Choice(&'static [&'static str], &'static [&'static str]),
    Flag,
    Number(u64, u64),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A list of account attributes.
    Attributes,
    /// A text or a list of texts.
    OneOrMore,
    /// A CEL rule.
    Rule,
    /// What one cause of leaving leads to.
    Leaving,
    Table(&'static Table),
    Tables(&'static Table),
    /// A table, or several of it, each with a name.
    OneOrSeveral(&'static Table),
    /// Attribute to names of sources.
    Precedence,
    /// Source attribute to the source's own name of it.
    Columns,
    /// Account attribute to its mapping.
    Mappings,
    /// Attribute of the directory to the value of the account that it is given.
    WriteBacks,
    /// Where a secret is kept: env:, file: or secretsmanager:.
    Place,
    /// A day.
    Day,
}

use Kind::{
    Attributes, Choice, Columns, Day, Flag, Leaving, Mappings, Number, OneOrMore, Place, Rule, Tables, Text, Words,
    WriteBacks,
};
use Need::{Default, Optional, Required};

const fn key(name: &'static str, kind: Kind, need: Need, doc: &'static str) -> Key {
    Key { name, kind, need, doc }
}

pub(crate) static ROOT: Table = Table {
    path: "",
    doc: "One connection: a source of people, a Microsoft 365 tenant, and the policy between them.",
    keys: &[
        key("schema", Number(1, 1), Required, "Version of the file's form. Always 1."),
        key(
            "connection",
            Text,
            Required,
            "The connection's name, unique in the installation: letters, digits, - _ . and at most 64 of them.",
        ),
        key("tenant", Kind::Table(&TENANT), Required, "The Microsoft 365 tenant that is written to."),
        key("source", Kind::OneOrSeveral(&SOURCE), Required, "The directory that is read."),
        key("sources", Kind::Table(&SOURCES), Optional, "How several sources belong together."),
        key("scope", Kind::Table(&SCOPE), Optional, "Who is managed."),
        key("anchor", Kind::Table(&ANCHOR), Optional, "Where immutable IDs come from."),
        key(
            "write_back",
            WriteBacks,
            Optional,
            "What the directory is given where it has no value. Nothing is written to it without this.",
        ),
        key("match", Kind::Table(&MATCH), Optional, "How people are joined to accounts they already have."),
        key("attributes", Mappings, Optional, "What differs from the default flow of attributes."),
        key("lifecycle", Kind::Table(&LIFECYCLE), Optional, "What happens to the accounts of people who leave."),
        key(
            "actions",
            Kind::Table(&ACTIONS),
            Optional,
            "Which actions are taken, wait for approval, or are only reported.",
        ),
        key("guard", Kind::Table(&GUARD), Optional, "Limits on removals, new accounts and changed names."),
        key("license", Tables(&LICENSE), Optional, "Licence rules: whom one fits has the licence."),
        key("group", Tables(&GROUP), Optional, "Group rules: whom one fits is a member."),
        key("schedule", Kind::Table(&SCHEDULE), Optional, "When the connection is synced by itself."),
        key("state", Kind::Table(&STATE), Optional, "Where state lies."),
        key("passwords", Kind::Table(&PASSWORDS), Optional, "Where initial passwords go."),
    ],
};

pub(crate) static TENANT: Table = Table {
    path: "tenant",
    doc: "The Microsoft 365 tenant that is written to.",
    keys: &[
        key("id", Text, Required, "The tenant's directory id (a GUID) or one of its domain names."),
        key(
            "cloud",
            Choice(&["global", "usgov", "usgov-dod", "china", "custom", "simulated"], &[]),
            Default("\"global\""),
            "Which Microsoft cloud; custom needs login and graph, simulated starts a tenant of its own.",
        ),
        key(
            "login",
            Text,
            Optional,
            "With cloud = \"custom\": URL of the login authority. Plain HTTP for loopback hosts only.",
        ),
        key(
            "graph",
            Text,
            Optional,
            "With cloud = \"custom\": URL of the Graph root. Plain HTTP for loopback hosts only.",
        ),
        key("seed", Text, Optional, "With cloud = \"simulated\": file with what the tenant starts with."),
        key("auth", Kind::Table(&AUTH), Optional, "How we sign in. Needed unless the tenant is simulated."),
        key(
            "full_listing_days",
            Number(1, 30),
            Default("7"),
            "After so many days all users are read, and not only what changed.",
        ),
    ],
};

pub(crate) static AUTH: Table = Table {
    path: "tenant.auth",
    doc: "How we sign in to the tenant.",
    keys: &[
        key(
            "method",
            Choice(&["secret", "certificate", "federated", "delegated"], &[]),
            Default("\"secret\""),
            "How the application proves itself: a client secret, a certificate, another identity provider's word (federated), or an administrator's sign-in (delegated).",
        ),
        key("client_id", Text, Required, "The application (client) id of the app registration."),
        key(
            "secret",
            Place,
            Optional,
            "Where the client secret is kept, never the secret: env:NAME, file:PATH or secretsmanager:ARN.",
        ),
        key(
            "secret_expires",
            Day,
            Optional,
            "The day the client secret ends, such as 2027-01-31: the tenant does not tell, and a warning needs to know.",
        ),
        key(
            "certificate",
            Place,
            Optional,
            "Where the certificate and its RSA key are kept, as PEM: env:NAME, file:PATH or secretsmanager:ARN.",
        ),
        key("key", Place, Optional, "Where the certificate's key is kept, when it is kept apart."),
        key(
            "audience",
            Text,
            Optional,
            "With method = \"federated\": the audience of the app registration's federated credential. Default: the cloud's own.",
        ),
        key(
            "token",
            Text,
            Optional,
            "With method = \"federated\", away from AWS: file:PATH, or command:PROGRAM ARGUMENTS that prints a token.",
        ),
        key(
            "redirect",
            Text,
            Optional,
            "With method = \"delegated\": where the browser comes back to, as registered. Default: the stack's own address.",
        ),
    ],
};

/// Which keys of `[tenant.auth]` belong to which methods; the others belong to all.
pub(crate) const AUTH_KEYS: &[(&str, &[&str])] = &[
    ("secret", &["secret", "delegated"]),
    ("secret_expires", &["secret", "delegated"]),
    ("certificate", &["certificate", "delegated"]),
    ("key", &["certificate", "delegated"]),
    ("audience", &["federated"]),
    ("token", &["federated"]),
    ("redirect", &["delegated"]),
];

/// Keys of `[[source]]` that a single source has not.
pub(crate) const OF_SEVERAL: [&str; 4] = ["name", "people", "keys", "same_person"];

/// What `[sources.precedence]` knows beside account attributes.
pub(crate) const PRECEDENCE_BESIDE: &[&str] =
    &["anchor", "enabled", "groups", "manager", "passwordExpired", "proxyAddresses"];

pub(crate) static SOURCES: Table = Table {
    path: "sources",
    doc: "How several sources belong together: `[[source]]`, with two brackets, stands twice or more, each with a `name`. See [several sources](several-sources.md).",
    keys: &[
        key(
            "same_person",
            Text,
            Optional,
            "The attribute by which entries of one person in two sources are found: an account attribute such as employeeId, one of anchor.from, or an attribute of the source. A person who stands in two sources without it is refused.",
        ),
        key(
            "disabled",
            Choice(&["first", "any", "all"], &[]),
            Default("\"first\""),
            "When a person of several sources is disabled: as the first source says that says anything, in any of them, or in all of them.",
        ),
        key(
            "precedence",
            Kind::Precedence,
            Optional,
            "Attribute to the sources that give it, the first that has a value: department = [\"hr\", \"corp\"]. No other source gives it. Default: all, in the order in which they stand.",
        ),
    ],
};

pub(crate) static SOURCE: Table = Table {
    path: "source",
    doc: "The directory that is read. Several are written `[[source]]`, with two brackets, each with a `name`.",
    keys: &[
        key(
            "name",
            Text,
            Optional,
            "Of several sources: the source's name. Lower case letters, digits, - _ and at most 32 of them.",
        ),
        key(
            "people",
            Flag,
            Optional,
            "Of several sources: false where the source only adds to people whom others have. Default: true.",
        ),
        key(
            "keys",
            Choice(&["plain", "named"], &[]),
            Optional,
            "Of several sources: whether keys stand as they are, or with the source's name before them. GUIDs always stand as they are. Default: plain for the first source, named for the others.",
        ),
        key(
            "same_person",
            Text,
            Optional,
            "Of several sources: what `same_person` of [sources] is called in this one.",
        ),
        key(
            "kind",
            Choice(&["csv", "jsonl", "ldif", "ldap", "command", "scim"], &["okta", "onelogin", "jumpcloud"]),
            Required,
            "Which form the source has.",
        ),
        key(
            "location",
            Text,
            Optional,
            "The file, relative to this one, or nothing for kind = \"scim\", whose people are pushed; for kind = \"ldap\" ldaps://HOST:636, or ldap://HOST:389 with StartTLS, or a domain, corp.example.com, whose controllers are looked up. Several servers of one directory are separated by spaces. For kind = \"command\" PROGRAM ARGUMENTS, run in this file's folder without a shell.",
        ),
        key(
            "format",
            Choice(&["jsonl", "csv", "ldif"], &[]),
            Optional,
            "kind = \"command\": what the program prints. Default: jsonl.",
        ),
        key("base", Text, Optional, "kind = \"ldap\": the DN below which people are."),
        key(
            "filter",
            Text,
            Optional,
            "kind = \"ldap\": which of the people below the base are read, as an LDAP filter.",
        ),
        key(
            "bind",
            Text,
            Optional,
            "kind = \"ldap\": the account that reads, as a DN, user@domain or DOMAIN\\user. It needs no more than read rights.",
        ),
        key("password", Place, Optional, "kind = \"ldap\": where the account's password is kept."),
        key(
            "nameserver",
            Text,
            Optional,
            "kind = \"ldap\": the name server that is asked for the directory's servers, 10.0.0.2 or 10.0.0.2:53. Default: those of this machine.",
        ),
        key(
            "ca",
            Text,
            Optional,
            "kind = \"ldap\": a file with the certificates (PEM) of the authorities that are trusted, relative to this one; for deployed functions s3://BUCKET/KEY or secretsmanager:ARN.",
        ),
        key(
            "columns",
            Columns,
            Optional,
            "Attribute to the source's own name of it; only what differs from the usual names. Of a yes or no also the words: active = { from = \"Status\", yes = [\"Aktiv\"], no = [\"Ausgetreten\"] }.",
        ),
        key(
            "delimiter",
            Choice(&["auto", ",", ";", "|", "tab"], &[]),
            Default("\"auto\""),
            "What separates the fields of a CSV.",
        ),
        key("encoding", Choice(ENCODINGS, &[]), Default("\"auto\""), "Character encoding of a CSV."),
        key(
            "key",
            Text,
            Optional,
            "The column or attribute that never changes for a person. Default: the first there is of objectGUID, entryUUID, the anchor attributes, employeeID, employeeNumber and id.",
        ),
    ],
};

pub(crate) static SCOPE: Table = Table {
    path: "scope",
    doc: "Who is managed.",
    keys: &[key("include", Rule, Optional, "A rule: who is managed. Default: everybody in the source.")],
};

pub(crate) static ANCHOR: Table = Table {
    path: "anchor",
    doc: "Where immutable IDs come from.",
    keys: &[
        key(
            "from",
            OneOrMore,
            Default("[\"mS-DS-ConsistencyGuid\", \"objectGUID\"]"),
            "Source attributes, the first that is set; a single text means exactly that one.",
        ),
        key(
            "on_conflict",
            Choice(&["stop", "tenant-wins", "source-wins"], &[]),
            Default("\"stop\""),
            "When the tenant's and the source's IDs differ; both -wins need proof of identity.",
        ),
    ],
};

pub(crate) static MATCH: Table = Table {
    path: "match",
    doc: "How people are joined to accounts they already have.",
    keys: &[
        key(
            "soft",
            Words(&["userPrincipalName", "primarySmtp", "employeeId"]),
            Default("[\"userPrincipalName\", \"primarySmtp\"]"),
            "By what an account without an immutable ID is found, in order; [] switches it off.",
        ),
        key(
            "prove",
            Attributes,
            Default("[\"employeeId\"]"),
            "Independent attributes that can prove that two records are one person.",
        ),
        key(
            "soft_deleted",
            Choice(&["restore", "purge", "wait", "refuse"], &[]),
            Default("\"restore\""),
            "What to do with a deleted account of the person.",
        ),
        key(
            "merge_synced",
            Flag,
            Default("false"),
            "Synced duplicates have been taken out of Entra Connect's scope and may be deleted by a merge.",
        ),
    ],
};

pub(crate) static LIFECYCLE: Table = Table {
    path: "lifecycle",
    doc: "What happens to the accounts of people who leave.",
    keys: &[
        key("absent", Leaving, Default("\"suspend\""), "Gone from a complete listing of the source."),
        key("left_scope", Leaving, Default("\"suspend\""), "The scope no longer includes the person."),
        key("disabled", Leaving, Default("\"suspend\""), "Disabled at the source."),
        key("password_expired", Leaving, Default("\"ignore\""), "The password has expired at the source."),
        key(
            "starts",
            Kind::Text,
            Optional,
            "A CEL expression that gives the first day: no account is enabled before it. date(text) reads the forms that people write.",
        ),
        key(
            "ends",
            Kind::Text,
            Optional,
            "A CEL expression that gives the last day: sign-in is blocked when it is over.",
        ),
        key(
            "time_zone",
            Text,
            Default("\"UTC\""),
            "Where days begin and end, such as Europe/Berlin (an IANA time zone).",
        ),
        key("ended", Leaving, Default("\"suspend\""), "The last day is over."),
        key(
            "account_deleted",
            Choice(&["report", "restore", "recreate"], &[]),
            Default("\"report\""),
            "Somebody deleted our account in the tenant.",
        ),
        key(
            "create_disabled",
            Flag,
            Default("false"),
            "Create (disabled) accounts for people who are disabled at the source.",
        ),
        key(
            "reenable",
            Choice(&["ours", "always"], &[]),
            Default("\"ours\""),
            "ours: allow sign-in only where we blocked it; always: the source decides, where it says who is enabled.",
        ),
        key("revoke_sessions", Flag, Default("false"), "End open sessions when sign-in is blocked."),
    ],
};

pub(crate) static STAGE: Table = Table {
    path: "",
    doc: "One stage of leaving.",
    keys: &[
        key(
            "action",
            Choice(&["ignore", "suspend", "remove-licenses", "delete"], &[]),
            Required,
            "ignore, suspend (block sign-in), remove-licenses (take away the licences and memberships that rules gave) or delete (into the recycle bin).",
        ),
        key(
            "after",
            Text,
            Optional,
            "How long after leaving: 30d, 12h, 90m. A delete with a delay blocks sign-in at once.",
        ),
    ],
};

const SWITCH: &[&str] = &["on", "approve", "off"];

pub(crate) static ACTIONS: Table = Table {
    path: "actions",
    doc: "Which actions are taken (on), wait for approval (approve), or are only reported (off).",
    keys: &[
        key("create", Choice(SWITCH, &[]), Default("\"on\""), "Create an account."),
        key("update", Choice(SWITCH, &[]), Default("\"on\""), "Write ordinary attributes."),
        key("takeover", Choice(SWITCH, &[]), Default("\"on\""), "Soft match onto an existing account."),
        key("rename", Choice(SWITCH, &[]), Default("\"on\""), "Give a linked account a new sign-in name."),
        key("enable", Choice(SWITCH, &[]), Default("\"on\""), "Allow sign-in again."),
        key("suspend", Choice(SWITCH, &[]), Default("\"on\""), "Block sign-in."),
        key("restore", Choice(SWITCH, &[]), Default("\"on\""), "Bring back a deleted account."),
        key("license", Choice(SWITCH, &[]), Default("\"on\""), "Give and take licences."),
        key("membership", Choice(SWITCH, &[]), Default("\"on\""), "Join and leave groups."),
        key("delete", Choice(SWITCH, &[]), Default("\"approve\""), "Delete an account into the recycle bin."),
        key("repair", Choice(SWITCH, &[]), Default("\"approve\""), "Change an immutable ID."),
        key("merge", Choice(SWITCH, &[]), Default("\"approve\""), "Make one account of two."),
        key("purge", Choice(SWITCH, &[]), Default("\"approve\""), "Delete an account for good."),
    ],
};

pub(crate) static GUARD: Table = Table {
    path: "guard",
    doc: "Limits on removals (block sign-in, delete, blank an attribute, take a licence or a membership away), on new accounts and on changed names within 24 hours. New sign-in names, changed immutable IDs and takeovers are counted apart, each with the limits of removals. Beyond a limit the changes wait for an approval of exactly that set. In 30 days at most four times a day's limit of people are blocked or deleted without one.",
    keys: &[
        key("max_removals", Number(0, 1_000_000), Default("500"), "Most removals in 24 hours."),
        key(
            "max_removals_percent",
            Number(0, 100),
            Default("5"),
            "Most removals in 24 hours, in percent of the linked people.",
        ),
        key(
            "always_allow",
            Number(0, 1_000_000),
            Default("3"),
            "So many removals are allowed whatever the limits say; never more than a fifth of a small directory, and one at the least.",
        ),
        key(
            "max_creations_percent",
            Number(0, 100),
            Default("20"),
            "Most new accounts in 24 hours, in percent of the linked people; 25 always pass.",
        ),
        key(
            "max_identity_changes_percent",
            Number(0, 100),
            Default("20"),
            "Most people whose name, employee ID or mail changes in 24 hours, in percent of the linked people; 10 always pass.",
        ),
    ],
};

pub(crate) static LICENSE: Table = Table {
    path: "license",
    doc: "A licence rule. Only licences that rules name are looked after, and only those we gave are taken away. The first rule of a licence that fits a person says which plans stay off.",
    keys: &[
        key(
            "sku",
            Text,
            Required,
            "Part number of the licence, such as SPE_E3, or its id; not the name that the admin centre shows.",
        ),
        key("disabled_plans", OneOrMore, Optional, "Names or ids of the licence's service plans that stay off."),
        key("when", Rule, Required, "Who has it."),
    ],
};

pub(crate) static GROUP: Table = Table {
    path: "group",
    doc: "A group rule. The group is found by its name once and known by its id from then on; when there is none, it is made for its first member. Only members we added are taken out.",
    keys: &[
        key(
            "name",
            Text,
            Required,
            "The group's display name, or the object id of a group that is there: such a group is never made.",
        ),
        key("kind", Choice(&["microsoft365", "security"], &[]), Default("\"security\""), "Which kind of group."),
        key("when", Rule, Optional, "Who is a member. Stands in every rule that has no members_of."),
        key(
            "members_of",
            Text,
            Optional,
            "Instead of when: the objectGUID or entryUUID of a group of the directory, whose members, those of groups in it included, are members. A group that gets another name there is the same group.",
        ),
    ],
};

pub(crate) static SCHEDULE: Table = Table {
    path: "schedule",
    doc: "When the connection is synced by itself, by `hardmatch serve`, by the lines that `hardmatch schedule` prints, or on AWS. A time that comes while a run is open is skipped. Without this table a stack syncs the connection every night.",
    keys: &[
        key(
            "every",
            Text,
            Optional,
            "How often: minutes that divide an hour, or hours that divide a day, such as 5m or 2h. For kind = \"ldap\", which tells what changed; files and programs, which are read whole, once an hour at most.",
        ),
        key(
            "full",
            Text,
            Optional,
            "The time of day from which on the next reading reads a directory whole, and at which a plan that nobody applied is made anew. Default: 02:30.",
        ),
        key(
            "time_zone",
            Text,
            Optional,
            "The zone that these times are in, such as Europe/Berlin (an IANA time zone); daylight saving time is followed. Default: UTC.",
        ),
    ],
};

pub(crate) static STATE: Table = Table {
    path: "state",
    doc: "Where state lies.",
    keys: &[key(
        "path",
        Text,
        Optional,
        "The state file, relative to this one. Default: the connection's name with .db. On AWS the table takes its place.",
    )],
};

pub(crate) static PASSWORDS: Table = Table {
    path: "passwords",
    doc: "Where the random initial passwords of new accounts in managed domains go.",
    keys: &[key(
        "deliver_to",
        Text,
        Default("\"discard\""),
        "discard, or file:PATH: appended to a CSV file that only its owner can read.",
    )],
};

/// The long form of an entry of `[source.columns]`: the file's own words for yes and no.
pub(crate) static SWITCH_COLUMN: Table = Table {
    path: "source.columns",
    doc: "A column that says yes or no in words of its own.",
    keys: &[
        key("from", Text, Required, "The column."),
        key("yes", OneOrMore, Required, "The words that mean yes; case and accents do not count."),
        key("no", OneOrMore, Required, "The words that mean no."),
    ],
};

/// Attributes of [`SOURCE_ATTRIBUTES`] that are a yes or a no.
pub(crate) const SWITCHES: &[&str] = &["enabled", "accountEnabled", "active", "passwordExpired"];

/// The long form of an entry of `[attributes]`.
pub(crate) static MAPPING: Table = Table {
    path: "attributes",
    doc: "How one attribute flows.",
    keys: &[
        key(
            "from",
            Kind::Text,
            Optional,
            "A CEL expression that gives a text. Default: the source's attribute of the same name.",
        ),
        key(
            "flow",
            Choice(&["always", "initial", "never"], &[]),
            Default("\"always\""),
            "always: whenever it differs; initial: only where the account has none; never.",
        ),
        key(
            "when_empty",
            Choice(&["keep", "clear"], &[]),
            Default("\"clear\""),
            "What an empty value means. Default: clear, except where Microsoft 365 cannot clear the attribute.",
        ),
    ],
};

/// The entry `manager` of `[attributes]`.
pub(crate) static MANAGER: Table = Table {
    path: "attributes.manager",
    doc: "How the manager flows.",
    keys: &[
        key(
            "flow",
            Choice(&["always", "initial", "never"], &[]),
            Default("\"always\""),
            "always: whenever it differs; initial: only where the account has none; never.",
        ),
        key(
            "when_empty",
            Choice(&["keep", "clear"], &[]),
            Default("\"clear\""),
            "What a person without a manager means.",
        ),
    ],
};

/// WHATWG labels that people meet in exports (<https://encoding.spec.whatwg.org/#names-and-labels>), and DOS code pages
/// (<https://learn.microsoft.com/windows/win32/intl/code-page-identifiers>).
const ENCODINGS: &[&str] = &[
    "auto",
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "macintosh",
    "cp437",
    "cp737",
    "cp775",
    "cp850",
    "cp852",
    "cp858",
    "cp865",
    "ibm866",
    "koi8-r",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "gbk",
    "gb18030",
    "big5",
];

/// Names by which `[source.columns]` may call source attributes, without regard to case: Active Directory's
/// (<https://learn.microsoft.com/windows/win32/adschema/attributes-all>), Graph's, and what exports usually call them.
pub const SOURCE_ATTRIBUTES: &[&str] = &[
    "objectGUID",
    "mS-DS-ConsistencyGuid",
    "entryUUID",
    "userPrincipalName",
    "upn",
    "mail",
    "email",
    "emailAddress",
    "proxyAddresses",
    "sAMAccountName",
    "distinguishedName",
    "dn",
    "uid",
    "objectSid",
    "mailNickname",
    "displayName",
    "cn",
    "givenName",
    "firstName",
    "sn",
    "surname",
    "lastName",
    "title",
    "jobTitle",
    "department",
    "company",
    "companyName",
    "employeeID",
    "employeeNumber",
    "employeeType",
    "physicalDeliveryOfficeName",
    "officeLocation",
    "office",
    "streetAddress",
    "street",
    "l",
    "city",
    "st",
    "state",
    "postalCode",
    "c",
    "co",
    "country",
    "usageLocation",
    "telephoneNumber",
    "businessPhones",
    "officePhone",
    "mobile",
    "mobilePhone",
    "facsimileTelephoneNumber",
    "faxNumber",
    "preferredLanguage",
    "otherMails",
    "employeeOrgData.division",
    "employeeOrgData.costCenter",
    "passwordPolicies",
    "manager",
    "memberOf",
    "groups",
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "accountExpires",
    "AccountExpirationDate",
    "enabled",
    "accountEnabled",
    "active",
    "passwordExpired",
    "isCriticalSystemObject",
    "msExchRecipientTypeDetails",
    "extensionAttribute1",
    "msDS-cloudExtensionAttribute1",
    "extensionAttribute2",
    "msDS-cloudExtensionAttribute2",
    "extensionAttribute3",
    "msDS-cloudExtensionAttribute3",
    "extensionAttribute4",
    "msDS-cloudExtensionAttribute4",
    "extensionAttribute5",
    "msDS-cloudExtensionAttribute5",
    "extensionAttribute6",
    "msDS-cloudExtensionAttribute6",
    "extensionAttribute7",
    "msDS-cloudExtensionAttribute7",
    "extensionAttribute8",
    "msDS-cloudExtensionAttribute8",
    "extensionAttribute9",
    "msDS-cloudExtensionAttribute9",
    "extensionAttribute10",
    "msDS-cloudExtensionAttribute10",
    "extensionAttribute11",
    "msDS-cloudExtensionAttribute11",
    "extensionAttribute12",
    "msDS-cloudExtensionAttribute12",
    "extensionAttribute13",
    "msDS-cloudExtensionAttribute13",
    "extensionAttribute14",
    "msDS-cloudExtensionAttribute14",
    "extensionAttribute15",
    "msDS-cloudExtensionAttribute15",
    "id",
];

/// Properties of an account that Graph has and that cannot be mapped, with the reason in words.
/// <https://learn.microsoft.com/graph/api/resources/user>
pub(crate) const NOT_MAPPABLE: &[(&str, &str)] = &[
    ("accountEnabled", "[lifecycle] alone decides whether sign-in is allowed"),
    ("onPremisesImmutableId", "joining and repair alone write it, from [anchor]"),
    ("proxyAddresses", "Microsoft Graph does not let anybody write it; Exchange derives it"),
    ("imAddresses", "Microsoft Graph does not let anybody write it"),
    ("assignedLicenses", "licences are given by [[license]] rules"),
    ("memberOf", "memberships are given by [[group]] rules"),
    ("passwordProfile", "passwords are written once, at creation"),
    ("userType", "guests and members are not turned into each other"),
    ("identities", "it needs a permission of its own and is not written"),
    ("id", "the tenant chooses it"),
    ("createdDateTime", "the tenant keeps it"),
    ("deletedDateTime", "the tenant keeps it"),
    ("onPremisesSyncEnabled", "the tenant keeps it"),
    ("onPremisesLastSyncDateTime", "the tenant keeps it"),
    ("onPremisesDistinguishedName", "Microsoft Graph lets only Entra Connect write it"),
    ("onPremisesDomainName", "Microsoft Graph lets only Entra Connect write it"),
    ("onPremisesSamAccountName", "Microsoft Graph lets only Entra Connect write it"),
    ("onPremisesSecurityIdentifier", "Microsoft Graph lets only Entra Connect write it"),
    ("onPremisesUserPrincipalName", "Microsoft Graph lets only Entra Connect write it"),
    ("onPremisesExtensionAttributes", "map extensionAttribute1 to extensionAttribute15 one by one"),
    ("employeeHireDate", "Microsoft Graph does not let an application write it"),
    ("employeeLeaveDateTime", "it needs a permission of its own and is not written"),
    ("showInAddressList", "Microsoft advises against writing it"),
    ("aboutMe", "Microsoft Graph does not let an application write it"),
    ("birthday", "Microsoft Graph does not let an application write it"),
    ("skills", "Microsoft Graph does not let an application write it"),
    ("mySite", "Microsoft Graph does not let an application write it"),
    ("interests", "Microsoft Graph does not let an application write it"),
    ("responsibilities", "Microsoft Graph does not let an application write it"),
    ("schools", "Microsoft Graph does not let an application write it"),
    ("hireDate", "Microsoft Graph does not let an application write it"),
    ("ageGroup", "it is not written by this version"),
    ("consentProvidedForMinor", "it is not written by this version"),
    ("pastProjects", "Microsoft Graph does not let an application write it"),
    ("preferredName", "Microsoft Graph does not let an application write it"),
    ("mailboxSettings", "it belongs to Exchange and is not written"),
    ("signInActivity", "the tenant keeps it"),
    ("signInSessionsValidFromDateTime", "the tenant keeps it"),
    ("lastPasswordChangeDateTime", "the tenant keeps it"),
    ("legalAgeGroupClassification", "the tenant derives it"),
    ("licenseAssignmentStates", "licences are given by [[license]] rules"),
    ("assignedPlans", "licences are given by [[license]] rules"),
    ("provisionedPlans", "licences are given by [[license]] rules"),
    ("onPremisesProvisioningErrors", "the tenant keeps it"),
    ("serviceProvisioningErrors", "the tenant keeps it"),
    ("onPremisesObjectIdentifier", "Microsoft Graph lets only Entra Connect write it"),
    ("creationType", "the tenant keeps it"),
    ("externalUserState", "the tenant keeps it"),
    ("externalUserStateChangeDateTime", "the tenant keeps it"),
    ("securityIdentifier", "the tenant chooses it"),
    ("isResourceAccount", "the tenant keeps it"),
    ("isManagementRestricted", "the tenant keeps it"),
    ("deviceEnrollmentLimit", "it belongs to Intune and is not written"),
    ("cloudLicensing", "licences are given by [[license]] rules"),
    ("print", "it is not written by this version"),
    ("primarySmtp", "map mail; where Exchange masters the mailbox, change the address there"),
];

impl Table {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key>
    where
        Self: 'static,
    {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// Attributes of a directory that are never written back, with the reason as the end of a sentence.
pub(crate) const NOT_WRITTEN_BACK: &[(&str, &str)] = &[
    ("objectGUID", "is set by the directory itself"),
    ("objectSid", "is set by the directory itself"),
    ("entryUUID", "is set by the directory itself"),
    ("nsUniqueId", "is set by the directory itself"),
    ("objectClass", "says what an entry is, and is not ours to change"),
    ("objectCategory", "says what an entry is, and is not ours to change"),
    ("distinguishedName", "is the name of an entry, and is not ours to change"),
    ("cn", "is the name of an entry, and is not ours to change"),
    ("name", "is the name of an entry, and is not ours to change"),
    ("sAMAccountName", "is the name of an entry, and is not ours to change"),
    ("userAccountControl", "says who may sign in, and is not ours to change"),
    ("memberOf", "is made from the members of groups"),
    ("unicodePwd", "holds a password"),
    ("userPassword", "holds a password"),
];
