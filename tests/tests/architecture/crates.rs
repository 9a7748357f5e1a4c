//! Crates: which may point at which, what none of them may contain, and what lies at the top. A wrong arrow fails with a
//! sentence that names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What the pure crate may use: values, their text forms, their hash. No I/O, clock, randomness, async or logging.
const VALUE_CRATES: [&str; 8] =
    ["base64", "isolang", "rust_iso3166", "serde", "serde_json", "serde_json_canonicalizer", "sha2", "thiserror"];

/// Rooms of the house, from the ground up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Domain,
    Ports,
    /// From values to a person, whatever they were read from: pure, for sources.
    Entry,
    /// Looks outward, or keeps something: knows the ports and no other adapter.
    Adapter,
    /// Rests on the ports alone and may be used by functions: key patterns, pages, the batch runner, what a configuration
    /// means.
    Common,
    /// Puts adapters behind ports as a configuration says: for the command and, where a function is started by Lambda,
    /// for its `main`.
    Wiring,
    /// Looks through what is wired at how a tenant is reached: for the command, and for the `main` of the function that
    /// has the tokens.
    Checkup,
    /// A tenant of its own: shares nothing with anybody.
    Sim,
    Function,
    /// All functions in one process: for the command and for stories.
    Local,
    Cli,
    Tests,
}

fn room(package: &Package) -> Room {
    match package.name.as_str() {
        "hardmatch" => Room::Cli,
        "hardmatch-tests" => Room::Tests,
        "hardmatch-domain" => Room::Domain,
        "hardmatch-ports" => Room::Ports,
        "hardmatch-sim" => Room::Sim,
        "hardmatch-wiring" => Room::Wiring,
        "hardmatch-checkup" => Room::Checkup,
        "hardmatch-local" => Room::Local,
        "hardmatch-store" | "hardmatch-report" | "hardmatch-runtime" | "hardmatch-policy" => Room::Common,
        "hardmatch-sources-entry" => Room::Entry,
        _ if package.manifest_path.as_str().contains("/functions/") => Room::Function,
        _ => Room::Adapter,
    }
}

/// Whether code in one room may name the other.
fn may_point(from: Room, to: Room) -> bool {
    match from {
        Room::Domain | Room::Sim => false,
        Room::Ports => to == Room::Domain,
        Room::Common | Room::Entry => matches!(to, Room::Domain | Room::Ports),
        // What an entry means is the same for every source.
        Room::Adapter => matches!(to, Room::Domain | Room::Ports | Room::Entry),
        Room::Wiring => matches!(to, Room::Domain | Room::Ports | Room::Common | Room::Entry | Room::Adapter),
        Room::Checkup => matches!(to, Room::Domain | Room::Ports | Room::Common | Room::Adapter | Room::Wiring),
        Room::Function => matches!(to, Room::Domain | Room::Ports | Room::Common),
        Room::Local => matches!(to, Room::Domain | Room::Ports | Room::Common | Room::Adapter | Room::Function),
        Room::Cli => !matches!(to, Room::Cli | Room::Tests),
        Room::Tests => to != Room::Tests,
    }
}

pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(Path::new(ROOT).join("Cargo.toml")).no_deps().exec().unwrap()
}

/// Dependencies that end up in the crate: tests' own are left out.
fn shipped(package: &Package) -> impl Iterator<Item = &str> {
    let kinds = [DependencyKind::Normal, DependencyKind::Build];
    package.dependencies.iter().filter(move |one| kinds.contains(&one.kind)).map(|one| one.name.as_str())
}

/// Everything that is linked into a crate, as cargo resolves it for that crate alone.
fn linked(package: &str) -> BTreeSet<String> {
    linked_with(package, "")
}

/// Everything that is linked into a crate with features switched on.
fn linked_with(package: &str, features: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", package])
        .args(["--features", features])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_arrow_points_the_way_the_house_is_built() {
    let metadata = metadata();
    let ours: BTreeMap<&str, &Package> = metadata.packages.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let from = room(package);
        for dependency in package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development) {
            let Some(to) = ours.get(dependency.name.as_str()) else { continue };
            // A function's library knows ports alone; its `main` for Lambda is another matter, and switched on by name.
            // The webhook's also tells what is decided about a person, which only who decides can say.
            let decides = package.name.as_str() == "hardmatch-webhook" && to.name.as_str() == "hardmatch-match";
            let by_main = from == Room::Function
                && (matches!(room(to), Room::Wiring | Room::Checkup) || decides)
                && dependency.optional;
            if !by_main && !may_point(from, room(to)) {
                wrong.push(format!("{} ({from:?}) may not depend on {} ({:?})", package.name, to.name, room(to)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The table above must keep naming crates that exist.
    for name in ["hardmatch-domain", "hardmatch-ports", "hardmatch-sim", "hardmatch-store", "hardmatch"] {
        assert!(ours.contains_key(name), "{name} is gone; this test must learn its new name");
    }
}

#[test]
fn the_domain_is_pure() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name.as_str() == "hardmatch-domain").unwrap();
    for name in shipped(domain) {
        assert!(VALUE_CRATES.contains(&name), "the domain may not depend on {name}: it is for values only");
    }
    let linked = linked("hardmatch-domain");
    for impure in ["tokio", "reqwest", "tracing", "rand", "jiff", "chrono", "async-trait", "futures"] {
        assert!(!linked.contains(impure), "the domain has {impure} in its tree");
    }
    for (path, text) in files(&Path::new(ROOT).join("shared/domain/src"), &["rs"]) {
        for word in [".await", "async fn", "std::fs", "std::env", "std::net", "std::io", "SystemTime", "Instant"] {
            assert!(!code(&text).contains(word), "{} has {word}: the domain is pure", path.display());
        }
    }
}

#[test]
fn a_function_has_no_more_than_its_work_needs() {
    let outside =
        ["reqwest", "hyper", "rusqlite", "hardmatch-graph", "hardmatch-vault", "hardmatch-sim", "hardmatch-embedded"];
    let functions: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| room(package) == Room::Function)
        .map(|package| package.name.to_string())
        .collect();
    assert!(functions.len() >= 3, "{functions:?}");
    for function in &functions {
        let linked = linked(function);
        for name in outside {
            assert!(!linked.contains(name), "{function} has {name} in its tree");
        }
        for name in linked.iter().filter(|name| name.starts_with("hardmatch-sources")) {
            assert!(
                function != "hardmatch-match",
                "{function} decides from the store alone and has {name} in its tree"
            );
        }
    }
    // As Lambda starts it, too.
    let deployed = linked_with("hardmatch-match", "lambda");
    assert!(deployed.contains("hardmatch-aws"), "match is not deployed with the tables and queues of AWS");
    for name in
        ["hardmatch-graph", "hardmatch-vault", "hardmatch-checkup", "hardmatch-sources-files", "reqwest", "oauth2"]
    {
        assert!(!deployed.contains(name), "match, as deployed, has {name} in its tree: it has no way to the tenant");
    }
    // What IAM refuses a function is not in its binary either.
    let all = ["aws-sdk-s3", "aws-sdk-kms", "aws-sdk-secretsmanager", "hardmatch-graph", "hardmatch-sources-files"];
    for (function, feature, has) in [
        ("ingest", "lambda-source", &["aws-sdk-s3", "aws-sdk-secretsmanager", "hardmatch-sources-files"][..]),
        ("ingest", "lambda-tenant", &["aws-sdk-s3", "aws-sdk-kms", "aws-sdk-secretsmanager", "hardmatch-graph"]),
        ("match", "lambda", &["aws-sdk-s3"]),
        ("write", "lambda", &["aws-sdk-kms", "aws-sdk-secretsmanager", "hardmatch-graph"]),
        ("connect", "lambda", &["aws-sdk-kms", "aws-sdk-secretsmanager", "hardmatch-graph"]),
        ("webhook", "lambda", &[]),
    ] {
        let linked = linked_with(&format!("hardmatch-{function}"), feature);
        let linked: Vec<&str> = all.into_iter().filter(|name| linked.contains(*name)).collect();
        assert_eq!(linked, has, "{function}, with {feature}");
    }
    // Deciding has no way to the tenant: the ports it could ask are not even named.
    for (path, text) in files(&Path::new(ROOT).join("functions/match/src"), &["rs"]) {
        for port in ["TenantRead", "TenantWrite", "dyn Source"] {
            assert!(!code(&text).contains(port), "{} names {port}; match decides from the store alone", path.display());
        }
    }
}

#[test]
fn functions_start_no_programs() {
    // As cargo resolves them for one function alone, which is how they are built.
    let tree = |package: &str, features: &str| -> String {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let tree = Command::new(cargo)
            .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"])
            .args(["--package", package, "--features", features])
            .current_dir(ROOT)
            .output()
            .unwrap();
        assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
        String::from_utf8(tree.stdout).unwrap()
    };
    let has = |tree: &str, name: &str, feature: &str| {
        let lines = tree.lines().filter(|line| line.split(' ').next() == Some(name));
        lines.flat_map(|line| line.split([' ', ','])).any(|word| word == feature)
    };
    for (function, feature) in [
        ("ingest", "lambda-source"),
        ("ingest", "lambda-tenant"),
        ("match", "lambda"),
        ("write", "lambda"),
        ("connect", "lambda"),
        ("webhook", "lambda"),
    ] {
        let tree = tree(&format!("hardmatch-{function}"), feature);
        for (name, feature) in
            [("hardmatch-sources-files", "programs"), ("hardmatch-vault", "programs"), ("hardmatch-wiring", "programs")]
        {
            assert!(!has(&tree, name, feature), "{function}: {name} is linked with {feature}");
        }
    }
    assert!(has(&tree("hardmatch", ""), "hardmatch-vault", "programs"), "the command line starts them");
    // And nothing else in what functions link starts one.
    let mut places = files(&Path::new(ROOT).join("shared"), &["rs"]);
    places.extend(files(&Path::new(ROOT).join("functions"), &["rs"]));
    for (path, text) in places {
        let place = path.strip_prefix(Path::new(ROOT)).unwrap().to_string_lossy().replace('\\', "/");
        let excused = ["shared/sources/files/src/program.rs", "shared/vault/src/program.rs"].contains(&&*place)
            || place.starts_with("shared/aws/src/stand_in")
            || place.starts_with("functions/cli/")
            || place.contains("/tests/")
            || place.contains("/benches/");
        assert!(excused || !code(&text).contains("process::Command"), "{place} starts programs");
    }
}

#[test]
fn the_simulated_tenant_shares_nothing_with_the_client_it_is_there_to_test() {
    let linked = linked("hardmatch-sim");
    let ours: Vec<&String> =
        linked.iter().filter(|name| name.starts_with("hardmatch") && *name != "hardmatch-sim").collect();
    assert!(ours.is_empty(), "hardmatch-sim has {ours:?} in its tree");
}

#[test]
fn secrets_are_seen_by_those_who_need_them_alone() {
    // The type travels through a port; the vault reads, on AWS from where an operator keeps them, Graph's client sends,
    // write makes initial passwords, checkup reads what of an assertion is no secret, connect hands a sign-in's code and verifier on, webhook
    // compares tokens, the command hands all over.
    let may = [
        "hardmatch-ports",
        "hardmatch-aws",
        "hardmatch-vault",
        "hardmatch-checkup",
        "hardmatch-graph",
        "hardmatch-sources-ldap",
        "hardmatch-write",
        "hardmatch-connect",
        "hardmatch-webhook",
        "hardmatch",
        "hardmatch-tests",
    ];
    for package in &metadata().packages {
        let sees = shipped(package).any(|name| name == "secrecy" || name == "oauth2");
        assert!(!sees || may.contains(&package.name.as_str()), "{} may not handle secrets", package.name);
    }
}

#[test]
fn j21_no_file_of_people_can_be_written() {
    let ports = Path::new(ROOT).join("shared/ports/src/source.rs");
    let text = code(&fs::read_to_string(ports).unwrap());
    let source = text.split("trait Source").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    let methods: Vec<&str> =
        source.split("fn ").skip(1).map(|rest| rest.split('(').next().unwrap_or_default()).collect();
    assert_eq!(
        methods,
        ["read", "ask", "probe", "write_back"],
        "values that were learnt are the one thing a source takes"
    );
    for (path, text) in files(&Path::new(ROOT).join("shared/sources/files/src"), &["rs"]) {
        assert!(!code(&text).contains("fn write_back"), "{}: nobody writes to a file of people", path.display());
        for word in ["File::create", "OpenOptions", "fs::write", "fs::remove", "fs::rename"] {
            assert!(!code(&text).contains(word), "{} has {word}: people are only read", path.display());
        }
    }
}

#[test]
fn every_crate_inherits_from_the_workspace() {
    for package in &metadata().packages {
        let text = fs::read_to_string(&package.manifest_path).unwrap();
        let manifest: toml::Table = toml::from_str(&text).unwrap();
        let inherits = |table: &str, key: &str| {
            manifest.get(table).and_then(|table| table.get(key)).and_then(|key| key.get("workspace")).is_some()
        };
        for key in ["version", "edition", "rust-version", "license", "repository"] {
            assert!(inherits("package", key), "{}: package.{key} is not the workspace's", package.name);
        }
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{}: lints are not the workspace's", package.name);
        assert!(
            package.description.as_ref().is_some_and(|said| said.ends_with('.')),
            "{}: no description",
            package.name
        );
    }
    let text = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let workspace: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

#[test]
fn a_crate_s_page_is_its_documentation() {
    for package in &metadata().packages {
        let Some(library) = package.targets.iter().find(|target| target.is_lib()) else { continue };
        if room(package) == Room::Tests {
            continue;
        }
        let folder = package.manifest_path.parent().unwrap();
        assert!(folder.join("README.md").is_file(), "{} has no README.md", package.name);
        let text = fs::read_to_string(&library.src_path).unwrap();
        let page = "#![doc = include_str!(\"../README.md\")]";
        assert!(text.contains(page), "{}: README.md is not the crate's documentation", package.name);
    }
}

#[test]
fn the_top_level_is_what_a_newcomer_is_told() {
    let told = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "docs",
        "functions",
        "infra",
        "shared",
        "tests",
    ];
    let not_ours = fs::read_to_string(Path::new(ROOT).join(".gitignore")).unwrap();
    let ignored = |name: &str| {
        not_ours.lines().map(|line| line.trim_matches('/')).any(|line| match line.strip_prefix('*') {
            Some(ending) => name.ends_with(ending),
            None => name == line,
        })
    };
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(ROOT).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !ignored(&name) {
            assert!(told.contains(&name.as_str()), "{name} lies at the top, where it does not belong");
            there.insert(name);
        }
    }
    for name in told.iter().filter(|name| **name != "infra") {
        assert!(there.contains(*name), "{name} is missing at the top");
    }
}

#[test]
fn o13_nothing_unfinished_retired_or_private_is_in_the_sources() {
    // Written in two parts, so that this file is searched too.
    let words = [
        (concat!("graph.win", "dows.net"), "the retired Azure AD Graph"),
        (concat!("todo", "!("), "unfinished work"),
        (concat!("unimplemented", "!("), "unfinished work"),
        (concat!("TO", "DO"), "unfinished work"),
        (concat!("FIX", "ME"), "unfinished work"),
        (concat!("#[ig", "nore"), "a test that does not run"),
        (concat!("/ro", "ot/"), "a path of one machine"),
        (concat!("/wo", "rk/"), "a path of one machine"),
        (concat!("issue", " #"), "a number nobody else can look up"),
    ];
    let endings = ["rs", "toml", "md", "html", "css", "js", "mjs", "json", "yaml", "yml", "sh"];
    let mut searched = 0;
    for (path, text) in files(Path::new(ROOT), &endings) {
        searched += 1;
        for (word, what) in words {
            assert!(!text.contains(word), "{} has {word}: {what}", path.display());
        }
    }
    assert!(searched > 200, "only {searched} files were searched");
}

/// Text without comments, by line.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Files below a folder with these endings; hidden and built ones are left out.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" || name == "hardmatch-demo" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                let Ok(text) = fs::read_to_string(&path) else { continue };
                found.push((path, text));
            }
        }
    }
    found
}
