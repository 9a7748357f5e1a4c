//! Files and names within crates: no circle of files, no key spelled twice, no public type of the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

use crate::crates::{ROOT, files, metadata};
use crate::modules::{Files, is_for_tests};

/// Every file of ours that is compiled into something that ships.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = files(&Path::new(ROOT).join("shared"), &["rs"]);
    found.extend(files(&Path::new(ROOT).join("functions"), &["rs"]));
    found.retain(|(path, _)| {
        let below = path.strip_prefix(ROOT).expect("below the root");
        below.components().any(|one| one.as_os_str() == "src")
    });
    assert!(found.len() > 300, "only {} files were found", found.len());
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap_or(path).to_string_lossy().trim_start_matches('/').to_owned()
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let mut roots = 0;
    let mut circles = Vec::new();
    for package in &metadata().packages {
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            roots += 1;
            for circle in Files::of(target.src_path.as_std_path()).circles() {
                circles.push(format!("{}: these files lead to each other\n  {}", package.name, circle.join("\n  ")));
            }
        }
    }
    assert!(roots > 20, "only {roots} crates were looked at");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_of_files_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("lib.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B;");
    write("a.rs", "use crate::B; pub struct A(B);");
    write("b.rs", "pub struct B; fn later() -> crate::c::C { todo() }");
    write("c.rs", "pub struct C;");
    let circles = || Files::of(&folder.path().join("lib.rs")).circles();
    assert!(circles().is_empty(), "{:?}", circles());
    // Through the re-export of the root, in a path within an expression, and not in a comment or in tests.
    write("c.rs", "// use crate::A;\npub struct C; #[cfg(test)] mod tests { use crate::A; }");
    assert!(circles().is_empty(), "{:?}", circles());
    write("c.rs", "pub struct C; fn why() { let _ = crate::A::default(); }");
    assert_eq!(circles().len(), 1);
    assert_eq!(circles()[0].len(), 3, "{:?}", circles());
}

/// Texts in a file, those in arguments of macros among them. What is compiled for tests alone is left out.
#[derive(Default)]
struct Texts(Vec<String>);

impl Texts {
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.tokens(group.stream()),
                proc_macro2::TokenTree::Literal(literal) => {
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.0.push(text.value());
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Texts {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.push(text.value());
    }

    fn visit_macro(&mut self, one: &'ast syn::Macro) {
        self.tokens(one.tokens.clone());
    }
}

/// Whether a text is the beginning of a key of the table: capitals and then `#`.
fn is_key(text: &str) -> bool {
    let capitals = text.bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
    capitals >= 1 && text.as_bytes().get(capitals) == Some(&b'#')
}

#[test]
fn keys_of_the_table_are_spelled_in_one_module() {
    let mut wrong = Vec::new();
    let mut there = 0;
    for (path, text) in sources() {
        let name = shown(&path);
        // The contract of the port tries tables with keys of no meaning; the vault has a table of its own, for tokens.
        if name.starts_with("shared/ports/src/contract/")
            || name.starts_with("shared/vault/")
            || name.ends_with("tests.rs")
        {
            continue;
        }
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&text).expect("it compiles"));
        let keys: Vec<&String> = texts.0.iter().filter(|text| is_key(text)).collect();
        if name == "shared/store/src/keys.rs" || name.starts_with("shared/store/src/keys/") {
            there += keys.len();
        } else {
            wrong.extend(keys.iter().map(|key| format!("{name} spells the key {key:?}")));
        }
    }
    assert!(there > 20, "store::keys spells only {there} keys");
    assert!(wrong.is_empty(), "{}\nSpell keys in the module store::keys alone.", wrong.join("\n"));
}

/// Public types of a file.
#[derive(Default)]
struct Types(Vec<String>);

impl<'ast> Visit<'ast> for Types {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (visibility, name, attributes) = match item {
            syn::Item::Enum(one) => (&one.vis, &one.ident, &one.attrs),
            syn::Item::Struct(one) => (&one.vis, &one.ident, &one.attrs),
            syn::Item::Trait(one) => (&one.vis, &one.ident, &one.attrs),
            syn::Item::Type(one) => (&one.vis, &one.ident, &one.attrs),
            syn::Item::Union(one) => (&one.vis, &one.ident, &one.attrs),
            syn::Item::Mod(one) if !is_for_tests(&one.attrs) => return syn::visit::visit_item(self, item),
            _ => return,
        };
        if matches!(visibility, syn::Visibility::Public(_)) && !is_for_tests(attributes) {
            self.0.push(name.to_string());
        }
    }
}

#[test]
fn no_public_type_has_the_name_of_another() {
    let mut defined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let mut types = Types::default();
        types.visit_file(&syn::parse_file(&text).expect("it compiles"));
        for name in types.0 {
            defined.entry(name).or_default().insert(shown(&path));
        }
    }
    assert!(defined.len() > 300, "only {} types were found", defined.len());
    let twice: Vec<String> = defined
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(name, places)| format!("{name}: {}", places.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
        .collect();
    assert!(twice.is_empty(), "types of one name:\n{}", twice.join("\n"));
}
