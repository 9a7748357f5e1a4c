//! The expanded template as values, and small words for reading it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hardmatch_aws::stand_in::venv;
use serde_json::{Map, Value};

/// What expands and what lints. Pinned: other versions find other things.
const PACKAGES: [&str; 2] = ["aws-sam-translator==1.115.0", "cfn-lint==1.58.0"];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A file of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// The text of a file of the repository.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn run(program: &str, argument: &Path) -> Output {
    let bin = venv(&PACKAGES).unwrap_or_else(|error| panic!("{error}")).join("bin");
    let mut command = Command::new(bin.join(if program == "cfn-lint" { "cfn-lint" } else { "python3" }));
    if program == "cfn-lint" {
        command.args(["--format", "parseable", "--"]);
    } else {
        command.arg(path(program));
    }
    command.arg(argument).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// A SAM template as CloudFormation sees it.
pub(crate) fn expand(template: &Path) -> String {
    let done = run("infra/expand.py", template);
    assert!(done.status.success(), "{}: {}", template.display(), String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("JSON")
}

/// What the linter finds in an expanded template, a line each.
pub(crate) fn findings(expanded: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("expanded.json");
    std::fs::write(&file, expanded).expect("a file");
    let done = run("cfn-lint", &file);
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let lines: Vec<String> = said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    assert_eq!(done.status.success(), lines.is_empty(), "the linter's answer and its findings differ: {lines:?}");
    lines
}

/// Ours, expanded once.
pub(crate) fn ours() -> &'static str {
    static EXPANDED: OnceLock<String> = OnceLock::new();
    EXPANDED.get_or_init(|| {
        // Expanding takes seconds, and every test may run in a process of its own: kept by what went in.
        let mut hasher = DefaultHasher::new();
        (text("infra/template.yaml"), text("infra/expand.py"), PACKAGES).hash(&mut hasher);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("expanded-{:016x}.json", hasher.finish()));
        if let Ok(expanded) = std::fs::read_to_string(&kept) {
            return expanded;
        }
        let expanded = expand(&path("infra/template.yaml"));
        let fresh = kept.with_extension(std::process::id().to_string());
        std::fs::write(&fresh, &expanded).and_then(|()| std::fs::rename(&fresh, &kept)).expect("a kept expansion");
        expanded
    })
}

/// Ours, as a value.
pub(crate) fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| serde_json::from_str(ours()).expect("JSON"))
}

pub(crate) fn resources() -> &'static Map<String, Value> {
    template()["Resources"].as_object().expect("resources")
}

/// A resource by its name in the template.
pub(crate) fn resource(name: &str) -> &'static Value {
    resources().get(name).unwrap_or_else(|| panic!("the template has no {name}"))
}

/// Its properties.
pub(crate) fn properties(name: &str) -> &'static Value {
    &resource(name)["Properties"]
}

/// Names and properties of all resources of a type.
pub(crate) fn of_type(kind: &str) -> Vec<(&'static str, &'static Value)> {
    let found: Vec<_> = resources()
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}

/// What a `Ref`, `GetAtt` or the first name in a `Sub` points at.
pub(crate) fn target(value: &Value) -> Option<&str> {
    if let Some(name) = value["Ref"].as_str() {
        return Some(name);
    }
    match &value["Fn::GetAtt"] {
        Value::Array(parts) => return parts[0].as_str(),
        Value::String(text) => return text.split('.').next(),
        _ => {}
    }
    // Of two alternatives the one that is a resource of the template.
    if let Value::Array(parts) = &value["Fn::If"] {
        return parts[1..].iter().filter_map(target).find(|name| resources().contains_key(*name));
    }
    let text = value["Fn::Sub"].as_str()?;
    text.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next()).find(|name| !name.starts_with("AWS::"))
}

/// A number, the default of the parameter that it refers to, or what a table of the template makes of that.
pub(crate) fn number(value: &Value) -> u64 {
    if let Value::Array(parts) = &value["Fn::FindInMap"] {
        let parameter = parts[1]["Ref"].as_str().unwrap_or_else(|| panic!("{value} depends on no parameter"));
        let default = template()["Parameters"][parameter]["Default"].to_string();
        let name = |part: &Value| part.as_str().map(str::to_owned).unwrap_or_default();
        return number(&template()["Mappings"][name(&parts[0])][default][name(&parts[2])]);
    }
    let value = match value["Ref"].as_str() {
        Some(parameter) => &template()["Parameters"][parameter]["Default"],
        None => value,
    };
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// One or many, as a list.
pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    }
}

/// Whether a resource carries our tag, in either of the two shapes.
pub(crate) fn is_tagged(properties: &Value) -> bool {
    let tags = &properties["Tags"];
    tags["application"] == "hardmatch"
        || list(tags).iter().any(|tag| tag["Key"] == "application" && tag["Value"] == "hardmatch")
}
