//! Tables of what a stack takes from whom.

use std::path::Path;

use super::*;
use crate::sources::Location;

const MICROSOFT: &str = "login.microsoftonline.com, graph.microsoft.com,login.microsoftonline.us,graph.microsoft.us,\
                         dod-graph.microsoft.us,login.partner.microsoftonline.cn,microsoftgraph.chinacloudapi.cn";
const SECRET: &str =
    "secret = \"secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:hm/contoso/app-AbCdEf\"";
const FEDERATED: &str = "method = \"federated\"";

/// A configuration of the connection `contoso`.
fn config(cloud: &str, auth: &str, rest: &str) -> Config {
    let text = format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\n{cloud}\n[tenant.auth]\n\
         client_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\n{auth}\n[source]\nkind = \"csv\"\n{rest}\n"
    );
    Config::load(&text, "hardmatch.toml", Path::new(".")).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

const S3: &str = "location = \"s3://people/contoso.csv\"";

fn limits(hosts: &str) -> StackLimits {
    StackLimits::new(hosts, "hm/").unwrap()
}

#[test]
fn every_cloud_of_microsoft_is_allowed_by_default() {
    for cloud in ["global", "usgov", "usgov-dod", "china"] {
        let config = config(&format!("cloud = \"{cloud}\""), SECRET, S3);
        assert_eq!(limits(MICROSOFT).violations(&config), Vec::<String>::new(), "{cloud}");
    }
    let global = config("cloud = \"global\"", SECRET, S3);
    let refused = limits("login.microsoftonline.us,graph.microsoft.us").violations(&global);
    assert_eq!(refused.len(), 2, "a stack for one cloud takes no other: {refused:?}");
}

/// Loads a custom cloud, unless the file itself is refused.
fn custom(login: &str, graph: &str) -> Option<Config> {
    let text = format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\ncloud = \"custom\"\n\
         login = \"{login}\"\ngraph = \"{graph}\"\n[tenant.auth]\nclient_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\n\
         {FEDERATED}\n[source]\nkind = \"csv\"\n{S3}\n"
    );
    Config::load(&text, "hardmatch.toml", Path::new(".")).ok()
}

#[test]
fn a_host_that_only_resembles_an_allowed_one_is_refused() {
    let refused = |limits: &StackLimits, login: &str, graph: &str| {
        custom(login, graph).is_none_or(|config| !limits.violations(&config).is_empty())
    };
    let (login, graph) = ("https://login.microsoftonline.com", "https://graph.microsoft.com");
    let limits = limits(&format!("{MICROSOFT},127.0.0.1:8080,proxy.example.com:8443,lab.example.com:*"));
    assert!(!refused(&limits, login, graph));
    for same in [
        "https://LOGIN.microsoftonline.com",
        "https://login.microsoftonline.com:443",
        "https://login.microsoftonline.com/",
        "https://ｌogin.microsoftonline.com",
    ] {
        assert!(!refused(&limits, same, graph), "{same} is that host");
    }
    for other in [
        "https://evil.example",
        "https://login.microsoftonline.com.evil.example",
        "https://login.microsoftonline.com.",
        "https://login.microsoftonline.com:8443",
        "https://login.microsoftonline.com@evil.example",
        "https://user:pass@login.microsoftonline.com",
        "https://login.microsoftonline.com\\\\@evil.example",
        "https://login.microsoftonline.com%2eevil.example",
        "https://login.microsoftonline.com%00.evil.example",
        "https://evil.example/login.microsoftonline.com",
        "https://evil.example#login.microsoftonline.com",
        "https://evil.example?login.microsoftonline.com",
        "https://login-microsoftonline.com",
        "https://login.microsoftonline.co",
        "https://lоgin.microsoftonline.com", // a Cyrillic letter
        "https://xn--lgin-0ta.microsoftonline.com",
        "http://login.microsoftonline.com",
        "https://microsoftonline.com",
        "https://a.login.microsoftonline.com",
        "http://127.0.0.1:9001",
        "http://localhost:8080",
        "http://[::1]:8080",
        "https://169.254.170.2",
        "https://proxy.example.com",
        "https://proxy.example.com:8444",
        "ftp://login.microsoftonline.com",
        "//login.microsoftonline.com",
    ] {
        assert!(refused(&limits, other, graph), "as login: {other}");
        assert!(refused(&limits, login, other), "as graph: {other}");
    }
    for listed in [
        "https://proxy.example.com:8443",
        "https://lab.example.com",
        "https://lab.example.com:1",
        "https://127.1:8080",
        "http://127.0.0.1:8080",
    ] {
        assert!(!refused(&limits, listed, listed), "{listed} is in the list");
    }
}

#[test]
fn an_entry_that_is_no_host_is_told() {
    for bad in [
        "*",
        "*.example.com",
        "https://example.com",
        "a b",
        "u@example.com",
        "example.com/x",
        "a:b",
        "a:1:*",
        "example.com:99999",
    ] {
        assert_eq!(StackLimits::new(bad, ""), Err(BadHost(bad.to_owned())));
    }
    assert!(
        limits("").violations(&config("cloud = \"global\"", SECRET, S3)).len() == 2,
        "an empty list allows no host"
    );
}

#[test]
fn secrets_of_the_function_itself_are_refused() {
    let said = |auth: &str| limits(MICROSOFT).violations(&config("cloud = \"global\"", auth, S3)).join("\n");
    for (auth, words) in [
        ("secret = \"env:AWS_SESSION_TOKEN\"", "tenant.auth.secret = \"env:…\""),
        ("secret = \"file:/proc/self/environ\"", "tenant.auth.secret = \"file:…\""),
        ("method = \"certificate\"\ncertificate = \"file:/tmp/c.pem\"", "tenant.auth.certificate = \"file:…\""),
        ("method = \"certificate\"\ncertificate = \"env:C\"\nkey = \"env:K\"", "tenant.auth.key = \"env:…\""),
        ("method = \"delegated\"\nsecret = \"env:AWS_SECRET_ACCESS_KEY\"", "tenant.auth.secret = \"env:…\""),
        ("method = \"delegated\"\ncertificate = \"file:/var/task/bootstrap\"", "tenant.auth.certificate = \"file:…\""),
        ("method = \"federated\"\ntoken = \"file:/proc/self/environ\"", "tenant.auth.token = \"file:…\""),
        ("method = \"federated\"\ntoken = \"command:/bin/sh -c env\"", "would start a program"),
        ("method = \"federated\"\naudience = \"sts.amazonaws.com\"", "tenant.auth.audience"),
        ("method = \"federated\"\naudience = \"api://AzureADTokenExchange/fabrikam\"", "tenant.auth.audience"),
        ("method = \"federated\"\naudience = \"api://AzureADTokenExchange/contoso/x\"", "tenant.auth.audience"),
        ("method = \"delegated\"\nredirect = \"https://evil.example/connect/return\"", "tenant.auth.redirect"),
    ] {
        assert!(said(auth).contains(words), "{auth}: {}", said(auth));
        assert!(!said(auth).contains("/proc/self") && !said(auth).contains("AWS_"), "{}", said(auth));
    }
    for auth in [
        FEDERATED,
        "method = \"federated\"\naudience = \"api://AzureADTokenExchange/contoso\"",
        "method = \"federated\"\naudience = \"api://AzureADTokenExchangeUSGov\"",
        "method = \"delegated\"",
        SECRET,
    ] {
        assert_eq!(said(auth), "", "{auth}");
    }
}

#[test]
fn what_lives_on_one_machine_is_refused() {
    let limits = limits(MICROSOFT);
    let said = |config: &Config| limits.violations(config).join("\n");
    assert!(said(&config("cloud = \"simulated\"", SECRET, S3)).contains("simulated"));
    assert!(said(&config("cloud = \"global\"", SECRET, "location = \"people.csv\"")).contains("source.location"));
    let passwords = format!("{S3}\n[passwords]\ndeliver_to = \"file:p.csv\"");
    assert!(said(&config("cloud = \"global\"", SECRET, &passwords)).contains("[passwords]"));
}

#[test]
fn a_connection_reads_its_own_secrets_alone() {
    let allowed = |prefix: &str, connection: &str, arn: &str| {
        StackLimits::new("", prefix).unwrap().secret(&ConnectionId::new(connection), arn).is_ok()
    };
    let of = |name: &str| format!("arn:aws:secretsmanager:eu-central-1:111122223333:secret:{name}");
    for name in ["hm/contoso/app-AbCdEf", "hm/contoso/app", "hm/contoso/deep/er-AbCdEf"] {
        assert!(allowed("hm/", "contoso", &of(name)), "{name}");
    }
    for name in [
        "hm/contoso2/app-AbCdEf",
        "hm/contoso",
        "hm/contoso/",
        "hm/contoso-AbCdEf",
        "hm/Contoso/app",
        "HM/contoso/app",
        "hm/fabrikam/app-AbCdEf",
        "hm/contoso/../fabrikam/app-AbCdEf",
        "hm/contoso//app",
        "hm/contoso/./app",
        "hm/contoso/..",
        "hm/../hm/contoso/app",
        "contoso/app",
        "/hm/contoso/app",
        "hm/contoso/*",
        "hm/contoso/a?",
        "hm/contoso/app:version",
        "hm/contoso/%2e%2e/fabrikam",
        "",
    ] {
        assert!(!allowed("hm/", "contoso", &of(name)), "{name}");
    }
    for arn in [
        "arn:aws:secretsmanager:eu-central-1:1111:secret:hm/contoso/app",
        "arn:aws:secretsmanager::111122223333:secret:hm/contoso/app",
        "arn:aws:secretsmanager:*:111122223333:secret:hm/contoso/app",
        "arn:aws:ssm:eu-central-1:111122223333:secret:hm/contoso/app",
        "arn:aws:secretsmanager:eu-central-1:111122223333:parameter:hm/contoso/app",
        "hm/contoso/app",
        "",
    ] {
        assert!(!allowed("hm/", "contoso", arn), "{arn}");
    }
    // A prefix without a slash at its end, and a connection whose name begins like another's.
    assert!(allowed("hm-", "contoso.eu", &of("hm-contoso.eu/app")));
    assert!(!allowed("hm-", "contoso", &of("hm-contoso.eu/app")));
    assert!(!allowed("hm/", "..", &of("hm/../app")));
    assert!(!allowed("", "contoso", &of("contoso/app")), "without a prefix functions read no secret");
}

#[test]
fn tenant_sign_in_and_source_are_an_approvers() {
    let old = config("cloud = \"global\"", SECRET, S3);
    let changes = |new: &Config| protected_changes(Active::Understood(&old), new);
    assert_eq!(protected_changes(Active::Missing, &old), [Protected::First]);
    assert_eq!(protected_changes(Active::Unreadable, &old), [Protected::Unknown]);
    assert_eq!(changes(&old), []);
    let other_secret = SECRET.replace("app-", "other-");
    let expires = format!("{SECRET}\nsecret_expires = \"2031-01-31\"");
    let elsewhere = |location: &str| config("cloud = \"global\"", SECRET, &format!("location = \"{location}\""));
    for (new, wanted) in [
        (config("cloud = \"usgov\"", SECRET, S3), &[Protected::Tenant][..]),
        (config("cloud = \"global\"", FEDERATED, S3), &[Protected::SignIn]),
        (config("cloud = \"global\"", &other_secret, S3), &[Protected::SignIn]),
        (config("cloud = \"global\"", &expires, S3), &[Protected::SignIn]),
        (elsewhere("s3://other-people/contoso.csv"), &[Protected::SourceLocation]),
        (elsewhere("s3://people/fabrikam.csv"), &[Protected::SourceLocation]),
        (
            config("cloud = \"china\"", FEDERATED, "location = \"s3://x-y-z/c.csv\""),
            &[Protected::Tenant, Protected::SignIn, Protected::SourceLocation],
        ),
    ] {
        assert_eq!(changes(&new), wanted);
    }
    let mut tenant = old.clone();
    tenant.tenant.id = "fabrikam.onmicrosoft.com".to_owned();
    assert_eq!(changes(&tenant), [Protected::Tenant]);
    let mut application = old.clone();
    application.tenant.auth.as_mut().unwrap().client_id = "11111111-7d0a-4f4e-8a51-2f6d1f3b9c77".to_owned();
    assert_eq!(changes(&application), [Protected::SignIn]);
    // All the rest is an operator's: rules, limits, columns.
    let rest = format!("{S3}\nkey = \"employeeId\"\n[guard]\nalways_allow = 9\n[lifecycle]\nabsent = \"delete\"");
    assert_eq!(changes(&config("cloud = \"global\"", SECRET, &rest)), []);
    let said = takes_an_approver(&[Protected::Tenant, Protected::SourceLocation]);
    assert!(said.contains("[tenant] changes, and source.location changes. Ask somebody"), "{said}");
}

/// A configuration whose people are in a directory.
fn directory(location: &str, password: &str, ca: &str) -> Config {
    let source = format!(
        "location = \"{location}\"\nbase = \"dc=corp\"\nbind = \"cn=reader\"\npassword = \"{password}\"\nca = \"{ca}\""
    );
    let text = format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\n[tenant.auth]\n\
         client_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\n{FEDERATED}\n[source]\nkind = \"ldap\"\n{source}\n"
    );
    Config::load(&text, "hardmatch.toml", Path::new(".")).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn secret(name: &str) -> String {
    format!("secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:{name}")
}

#[test]
fn a_directory_is_read_with_a_secret_of_its_own_at_a_host_of_the_list() {
    let limits = limits(&format!("{MICROSOFT},dc1.corp.test:636,DC2.corp.test:*"));
    let (own, bucket) = (secret("hm/contoso/source/bind-AbCdEf"), "s3://people/ca.pem");
    let violations = |location: &str, password: &str, ca: &str| limits.violations(&directory(location, password, ca));
    for good in ["ldaps://dc1.corp.test", "ldaps://DC1.corp.test:636", "ldap://dc2.corp.test:389 ldaps://dc2.corp.test"]
    {
        assert_eq!(violations(good, &own, bucket), Vec::<String>::new(), "{good}");
    }
    assert_eq!(violations("ldaps://dc1.corp.test", &own, &secret("hm/contoso/source/ca-AbCdEf")), Vec::<String>::new());
    for (location, password, ca, said) in [
        ("ldap://dc1.corp.test", own.as_str(), bucket, "add dc1.corp.test:389 to the parameter AllowedHosts"),
        ("ldaps://dc1.corp.test:6360", &own, bucket, "names the server dc1.corp.test:6360"),
        ("ldaps://dc1.corp.test.evil.test", &own, bucket, "names the server dc1.corp.test.evil.test:636"),
        ("ldaps://dc1.corp.test ldaps://other.test", &own, bucket, "names the server other.test:636"),
        ("ldaps://dc1.corp.test", "env:PASSWORD", bucket, "source.password = \"env:…\""),
        ("ldaps://dc1.corp.test", &secret("hm/contoso/app-AbCdEf"), bucket, "begins with hm/contoso/source/"),
        ("ldaps://dc1.corp.test", &secret("hm/fabrikam/source/bind-AbCdEf"), bucket, "not one of connection contoso"),
        ("ldaps://dc1.corp.test", &own, "ca.pem", "source.ca is a file of some machine"),
        ("ldaps://dc1.corp.test", &own, &secret("hm/contoso/ca-AbCdEf"), "source.ca names a secret outside"),
    ] {
        let found = violations(location, password, ca);
        assert!(found.len() == 1 && found[0].contains(said), "{location} {password} {ca}: {found:?}");
    }
}

#[test]
fn a_secret_that_the_sources_function_reads_opens_no_tenant() {
    let auth = format!("secret = \"{}\"", secret("hm/contoso/source/app-AbCdEf"));
    let found = limits(MICROSOFT).violations(&config("cloud = \"global\"", &auth, S3));
    assert!(found.len() == 1 && found[0].contains("Store it under another name"), "{found:?}");
}

#[test]
fn other_authorities_of_a_directory_take_an_approver() {
    let own = secret("hm/contoso/source/bind-AbCdEf");
    let (old, new) = ("s3://people/ca.pem", "s3://people/other.pem");
    let [old, new] = [old, new].map(|ca| directory("ldaps://dc1.corp.test", &own, ca));
    assert_eq!(protected_changes(Active::Understood(&old), &new), [Protected::SourceAuthority]);
}

/// A configuration with a file of S3 and two directories, which stand at `corp` and `lab`.
fn several(corp: (&str, &str), lab: (&str, &str), hr: &str) -> Config {
    let directory = |name: &str, (location, password): (&str, &str)| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"ldap\"\nlocation = \"{location}\"\nbase = \"dc=corp\"\nbind = \"cn=reader\"\n\
             password = \"{password}\"\nca = \"s3://people/{name}.pem\"\n"
        )
    };
    let text = format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\n[tenant.auth]\n\
         client_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\n{FEDERATED}\n{}{}[[source]]\nname = \"hr\"\n{hr}\n\
         [sources]\nsame_person = \"employeeId\"\n",
        directory("corp", corp),
        directory("lab", lab)
    );
    Config::load(&text, "hardmatch.toml", Path::new(".")).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

const HR: &str = "kind = \"csv\"\nlocation = \"s3://people/hr.csv\"";

#[test]
fn each_of_several_sources_is_held_to_the_limits_by_name() {
    let limits = limits(&format!("{MICROSOFT},dc1.corp.test:636,dc1.lab.test:636"));
    let (bind, other) = (secret("hm/contoso/source/corp-AbCdEf"), secret("hm/contoso/source/lab-AbCdEf"));
    let (corp, lab) = (("ldaps://dc1.corp.test", bind.as_str()), ("ldaps://dc1.lab.test", other.as_str()));
    assert_eq!(limits.violations(&several(corp, lab, HR)), Vec::<String>::new());
    let foreign = secret("hm/fabrikam/source/lab-AbCdEf");
    let app = secret("hm/contoso/app-AbCdEf");
    for (config, said) in [
        (
            several(corp, ("ldaps://evil.test", &other), HR),
            "source lab: source.location names the server evil.test:636",
        ),
        (several(corp, (lab.0, "env:PASSWORD"), HR), "source lab: source.password = \"env:…\""),
        (several(corp, (lab.0, &app), HR), "source lab: source.password names a secret outside hm/contoso/source/"),
        (several((corp.0, &foreign), lab, HR), "source corp: the secret is not one of connection contoso"),
        (several(corp, lab, "kind = \"csv\"\nlocation = \"hr.csv\""), "source hr: functions read people from s3://"),
        (
            several(corp, lab, "kind = \"command\"\nlocation = \"print-people\"\nformat = \"csv\""),
            "source hr: source.location would start a program",
        ),
    ] {
        let found = limits.violations(&config);
        assert!(found.len() == 1 && found[0].starts_with(said), "{said}: {found:?}");
    }
}

#[test]
fn where_several_sources_are_and_which_password_goes_there_take_an_approver() {
    let (bind, other) = (secret("hm/contoso/source/corp-AbCdEf"), secret("hm/contoso/source/lab-AbCdEf"));
    let (corp, lab) = (("ldaps://dc1.corp.test", bind.as_str()), ("ldaps://dc1.lab.test", other.as_str()));
    let old = several(corp, lab, HR);
    let changes = |new: &Config| protected_changes(Active::Understood(&old), new);
    assert_eq!(changes(&old), []);
    assert_eq!(changes(&several(corp, ("ldaps://dc2.lab.test", &other), HR)), [Protected::SourceLocation]);
    let moved = HR.replace("hr.csv", "other.csv");
    assert_eq!(changes(&several(corp, lab, &moved)), [Protected::SourceLocation]);
    // An operator does not have the password of one directory sent to another.
    assert_eq!(changes(&several(corp, (lab.0, &bind), HR)), [Protected::SourcePassword]);
    let mut authority = old.clone();
    if let Location::Several(several) = &mut authority.source.location {
        several.parts[1].settings.directory.as_mut().unwrap().ca =
            crate::places::AuthorityRef::S3 { bucket: "people".to_owned(), key: "evil.pem".to_owned() };
    }
    assert_eq!(changes(&authority), [Protected::SourceAuthority]);
    // Which source counts for what is an operator's.
    let mut counts = old.clone();
    if let Location::Several(several) = &mut counts.source.location {
        several.precedence.insert("department".to_owned(), vec![2]);
        several.disabled = crate::sources::DisabledIn::Any;
    }
    assert_eq!(changes(&counts), []);
}
