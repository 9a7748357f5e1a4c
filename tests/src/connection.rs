//! The configuration of a connection whose tenant answers over HTTP on this machine, and the file of its people.

use std::ops::Range;

/// How the application proves itself.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// By a secret, which lies there.
    Secret(&'a str),
    /// By the identity of the functions' role.
    Federated,
}

/// What a configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// The connection's name.
    pub name: &'a str,
    /// The tenant's directory id.
    pub tenant: &'a str,
    /// The application's client id.
    pub client: &'a str,
    /// Where the tenant and its login service answer.
    pub url: &'a str,
    /// How the application proves itself.
    pub proof: Proof<'a>,
    /// Where the people are, as CSV.
    pub people: &'a str,
    /// Whatever else is said, in sections of its own.
    pub more: &'a str,
}

impl Connection<'_> {
    /// The file's text.
    pub fn toml(&self) -> String {
        let Self { people, more, .. } = self;
        format!("{}[source]\nkind = \"csv\"\nlocation = \"{people}\"\n{more}", self.tenant_side())
    }

    /// What the file says of the tenant, and nothing of a source.
    pub fn tenant_side(&self) -> String {
        let Self { name, tenant, client, url, proof, .. } = self;
        let (method, secret) = match proof {
            Proof::Secret(place) => ("secret", format!("secret = \"{place}\"\n")),
            Proof::Federated => ("federated", String::new()),
        };
        format!(
            r#"schema = 1
connection = "{name}"
[tenant]
id = "{tenant}"
cloud = "custom"
login = "{url}"
graph = "{url}"
[tenant.auth]
method = "{method}"
client_id = "{client}"
{secret}"#
        )
    }
}

/// A department's people of these numbers, as CSV.
pub fn people(numbers: Range<u32>, department: &str) -> String {
    let person = |n: u32| {
        format!(
            "{n:08x}-1a2b-4c3d-8e4f-0123456789ab,person{n}@contoso.com,Given{n},Surname{n},Given{n} Surname{n},person{n}@contoso.com,{department},{n:06}\n"
        )
    };
    let columns = "objectGUID,userPrincipalName,givenName,sn,displayName,mail,department,employeeID\n".to_owned();
    numbers.fold(columns, |text, number| text + &person(number))
}
