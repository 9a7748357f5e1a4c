//! The attributes that are kept, as one table: what is announced under `/Schemas`, how values are read and compared, and
//! what a path may name all follow from it. Nothing is announced that is not kept.
//! <https://www.rfc-editor.org/rfc/rfc7643>

use serde_json::{Value, json};

/// Schema of users.
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Schema of groups.
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// What organizations say of their people.
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// What only Microsoft 365 accounts have, and what became of the person there.
pub(crate) const HARDMATCH: &str = "urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User";

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// Yes or no.
    Switch,
    /// A moment.
    Moment,
    /// An address of a resource.
    Reference,
    /// Values of their own.
    Complex(&'static [Attribute]),
}

/// One attribute of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own in the standard")]
pub(crate) struct Attribute {
    /// Its name in the spelling of the schema; names are compared without case.
    pub(crate) name: &'static str,
    /// Of what kind its values are.
    pub(crate) kind: Kind,
    /// Whether it has several.
    pub(crate) many: bool,
    /// Whether a resource must have it.
    pub(crate) required: bool,
    /// Whether case counts when values are compared.
    pub(crate) exact: bool,
    /// Whether only we write it.
    pub(crate) read_only: bool,
    /// Whether it is told only where it is asked for by its name.
    pub(crate) on_request: bool,
    /// Whether no two resources have the same value.
    pub(crate) unique: bool,
    /// The values that are usual.
    pub(crate) usual: &'static [&'static str],
    /// What it is.
    pub(crate) doc: &'static str,
}

const fn text(name: &'static str, doc: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        many: false,
        required: false,
        exact: false,
        read_only: false,
        on_request: false,
        unique: false,
        usual: &[],
        doc,
    }
}

impl Attribute {
    const fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    const fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    const fn on_request(self) -> Self {
        Self { on_request: true, ..self }
    }

    const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn usual(self, usual: &'static [&'static str]) -> Self {
        Self { usual, ..self }
    }

    /// The attributes of its values.
    pub(crate) fn parts(&self) -> &'static [Attribute] {
        match self.kind {
            Kind::Complex(parts) => parts,
            Kind::Text | Kind::Switch | Kind::Moment | Kind::Reference => &[],
        }
    }

    /// The part of this name.
    pub(crate) fn part(&self, name: &str) -> Option<&'static Attribute> {
        find(self.parts(), name)
    }
}

/// The attribute of this name, without regard to case.
pub(crate) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

const WORK_HOME_OTHER: &[&str] = &["work", "home", "other"];

const VALUE: Attribute = text("value", "The value.");
const DISPLAY: Attribute = text("display", "The value as it is shown to people.");
const PRIMARY: Attribute = text("primary", "Whether this is the value that counts first.").of(Kind::Switch);
const TYPE: Attribute = text("type", "What the value is for.");

const NAME: &[Attribute] = &[
    text("formatted", "The full name as it is shown."),
    text("familyName", "The last name."),
    text("givenName", "The first name."),
    text("middleName", "Further first names."),
    text("honorificPrefix", "A title before the name."),
    text("honorificSuffix", "What follows the name."),
];

const EMAIL: &[Attribute] = &[VALUE, DISPLAY, TYPE.usual(WORK_HOME_OTHER), PRIMARY];

const PHONE: &[Attribute] =
    &[VALUE, DISPLAY, TYPE.usual(&["work", "home", "mobile", "fax", "pager", "other"]), PRIMARY];

const ADDRESS: &[Attribute] = &[
    text("formatted", "The address as it is written on an envelope."),
    text("streetAddress", "Street and number."),
    text("locality", "The city."),
    text("region", "The state or province."),
    text("postalCode", "The postal code."),
    text("country", "The country, as two letters."),
    TYPE.usual(WORK_HOME_OTHER),
    PRIMARY,
];

const MEMBERSHIP: &[Attribute] = &[
    text("value", "The id of the group.").exact().read_only(),
    text("$ref", "The address of the group.").of(Kind::Reference).exact().read_only(),
    text("display", "The name of the group.").read_only(),
    text("type", "How the person is a member.").read_only().usual(&["direct"]),
];

const MANAGER: &[Attribute] = &[
    text("value", "The id of the manager, or the manager's externalId.").exact(),
    text("$ref", "The address of the manager.").of(Kind::Reference).exact(),
    text("displayName", "The name of the manager.").read_only(),
];

const MEMBER: &[Attribute] = &[
    text("value", "The id of the member.").exact(),
    text("$ref", "The address of the member.").of(Kind::Reference).exact(),
    text("type", "What the member is.").usual(&["User"]),
];

/// What became of the person in the tenant.
const PROVISIONING: &[Attribute] = &[
    text("state", "pending, provisioned, refused or held.").read_only().usual(&[
        "pending",
        "provisioned",
        "refused",
        "held",
    ]),
    text("reason", "The reason code of what is refused or held.").read_only(),
    text("detail", "The reason in a sentence.").read_only(),
    text("remedy", "What to do about it.").read_only(),
    text("account", "The object id of the account.").exact().read_only(),
];

/// Attributes that every resource has.
pub(crate) const COMMON: &[Attribute] = &[
    text("id", "The id of the resource, which hardmatch made.").exact().read_only().unique(),
    text("externalId", "The id of the resource at the identity provider.").exact(),
    text("schemas", "The schemas of the resource.").exact().read_only().many(),
    text("meta", "When the resource was made and changed.").of(Kind::Complex(META)).read_only(),
];

const META: &[Attribute] = &[
    text("resourceType", "The type of the resource.").exact().read_only(),
    text("created", "When it was made.").of(Kind::Moment).read_only(),
    text("lastModified", "When it was changed last.").of(Kind::Moment).read_only(),
    text("location", "Its address.").of(Kind::Reference).exact().read_only(),
    text("version", "Its version, as in ETag.").exact().read_only(),
];

/// Attributes of users.
const USER_ATTRIBUTES: &[Attribute] = &[
    text("userName", "The sign-in name of the account (userPrincipalName).").required().unique(),
    text("name", "The parts of the name.").of(Kind::Complex(NAME)),
    text("displayName", "The name as it is shown in address lists."),
    text("nickName", "What the person is called."),
    text("title", "The job title."),
    text("userType", "The kind of employment (employeeType)."),
    text("preferredLanguage", "The preferred language, such as en-GB."),
    text("locale", "The locale; kept, and not written to the account."),
    text("timezone", "The time zone; kept, and not written to the account."),
    text("active", "Whether the person may sign in. False disables the account.").of(Kind::Switch),
    text("emails", "Mail addresses; the primary one becomes the primary SMTP address.").of(Kind::Complex(EMAIL)).many(),
    text("phoneNumbers", "Telephone numbers of work, mobile and fax.").of(Kind::Complex(PHONE)).many(),
    text("addresses", "Postal addresses; that of work becomes the address of the account.")
        .of(Kind::Complex(ADDRESS))
        .many(),
    text("groups", "The groups that the person is a member of.").of(Kind::Complex(MEMBERSHIP)).many().read_only(),
];

const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber", "The employee number (employeeId)."),
    text("costCenter", "The cost centre; rules can read it."),
    text("organization", "The company (companyName)."),
    text("division", "The division; rules can read it."),
    text("department", "The department."),
    text("manager", "The manager.").of(Kind::Complex(MANAGER)),
];

const HARDMATCH_ATTRIBUTES: &[Attribute] = &[
    text(
        "immutableId",
        "The immutable ID of the account, where the directory knows it. Without it, anchor.from decides.",
    )
    .exact(),
    text("usageLocation", "The two-letter country of use, which licences need."),
    text("officeLocation", "The office."),
    text("extensionAttribute1", "Extension attribute 1."),
    text("extensionAttribute2", "Extension attribute 2."),
    text("extensionAttribute3", "Extension attribute 3."),
    text("extensionAttribute4", "Extension attribute 4."),
    text("extensionAttribute5", "Extension attribute 5."),
    text("extensionAttribute6", "Extension attribute 6."),
    text("extensionAttribute7", "Extension attribute 7."),
    text("extensionAttribute8", "Extension attribute 8."),
    text("extensionAttribute9", "Extension attribute 9."),
    text("extensionAttribute10", "Extension attribute 10."),
    text("extensionAttribute11", "Extension attribute 11."),
    text("extensionAttribute12", "Extension attribute 12."),
    text("extensionAttribute13", "Extension attribute 13."),
    text("extensionAttribute14", "Extension attribute 14."),
    text("extensionAttribute15", "Extension attribute 15."),
    text("provisioning", "What became of the person in the tenant; told where it is asked for.")
        .of(Kind::Complex(PROVISIONING))
        .read_only()
        .on_request(),
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    text("displayName", "The name of the group, by which rules name it.").required().unique(),
    text("members", "The members of the group.").of(Kind::Complex(MEMBER)).many(),
];

/// A schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) urn: &'static str,
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

static SCHEMAS: [&Schema; 4] = [&USER_SCHEMA, &ENTERPRISE_SCHEMA, &HARDMATCH_SCHEMA, &GROUP_SCHEMA];
static USER_EXTENSIONS: [&Schema; 2] = [&ENTERPRISE_SCHEMA, &HARDMATCH_SCHEMA];

static USER_SCHEMA: Schema = Schema { urn: USER, name: "User", doc: "A person.", attributes: USER_ATTRIBUTES };
static GROUP_SCHEMA: Schema = Schema { urn: GROUP, name: "Group", doc: "A group.", attributes: GROUP_ATTRIBUTES };
static ENTERPRISE_SCHEMA: Schema = Schema {
    urn: ENTERPRISE,
    name: "EnterpriseUser",
    doc: "What organizations say of their people.",
    attributes: ENTERPRISE_ATTRIBUTES,
};
static HARDMATCH_SCHEMA: Schema = Schema {
    urn: HARDMATCH,
    name: "HardmatchUser",
    doc: "What only Microsoft 365 accounts have, and what became of the person there.",
    attributes: HARDMATCH_ATTRIBUTES,
};

/// A type of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceType {
    /// People.
    User,
    /// Groups.
    Group,
}

impl ResourceType {
    pub(crate) const ALL: [Self; 2] = [Self::User, Self::Group];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The last part of the address of its resources.
    pub(crate) fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// Its own schema.
    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::User => &USER_SCHEMA,
            Self::Group => &GROUP_SCHEMA,
        }
    }

    /// The schemas that may come beside its own.
    pub(crate) fn extensions(self) -> &'static [&'static Schema] {
        match self {
            Self::User => &USER_EXTENSIONS,
            Self::Group => &[],
        }
    }

    /// The extension of this URN, without regard to case.
    pub(crate) fn extension(self, urn: &str) -> Option<&'static Schema> {
        self.extensions().iter().find(|schema| schema.urn.eq_ignore_ascii_case(urn)).copied()
    }

    /// The attribute of its own schema, or of those that every resource has.
    pub(crate) fn core(self, name: &str) -> Option<&'static Attribute> {
        find(self.schema().attributes, name).or_else(|| find(COMMON, name))
    }

    /// As it is announced.
    pub(crate) fn json(self, base: &str) -> Value {
        let extensions: Vec<Value> =
            self.extensions().iter().map(|schema| json!({ "schema": schema.urn, "required": false })).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name(),
            "name": self.name(),
            "description": self.schema().doc,
            "endpoint": format!("/{}", self.endpoint()),
            "schema": self.schema().urn,
            "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name()) },
        })
    }
}

/// All schemas, as they are announced.
pub(crate) fn all() -> &'static [&'static Schema] {
    &SCHEMAS
}

impl Schema {
    /// As it is announced.
    pub(crate) fn json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.urn,
            "name": self.name,
            "description": self.doc,
            "attributes": self.attributes.iter().map(attribute).collect::<Vec<Value>>(),
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.urn) },
        })
    }
}

fn attribute(of: &Attribute) -> Value {
    let mut told = json!({
        "name": of.name,
        "type": match of.kind {
            Kind::Text => "string",
            Kind::Switch => "boolean",
            Kind::Moment => "dateTime",
            Kind::Reference => "reference",
            Kind::Complex(_) => "complex",
        },
        "multiValued": of.many,
        "description": of.doc,
        "required": of.required,
        "mutability": if of.read_only { "readOnly" } else { "readWrite" },
        "returned": if of.on_request { "request" } else { "default" },
    });
    let more = match of.kind {
        Kind::Text => {
            let mut more = json!({
                "caseExact": of.exact,
                "uniqueness": if of.unique { "server" } else { "none" },
            });
            if !of.usual.is_empty() {
                more["canonicalValues"] = json!(of.usual);
            }
            more
        }
        Kind::Reference => json!({ "caseExact": true, "uniqueness": "none", "referenceTypes": ["User", "Group"] }),
        Kind::Complex(parts) => json!({ "subAttributes": parts.iter().map(attribute).collect::<Vec<Value>>() }),
        Kind::Switch | Kind::Moment => json!({}),
    };
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}
