//! The files of a crate and which of them names what another defines. They are parsed, so that a comment or a text is
//! no name, and `pub use` is followed to the file that really has the definition.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// A path of modules below the root of a crate.
type ModulePath = Vec<String>;

/// What one `use` of a module brings in.
struct Import {
    /// The name that it has here; `*` for everything.
    name: String,
    /// Segments as they are written.
    path: Vec<String>,
}

/// One file and the module that it is.
struct Module {
    file: PathBuf,
    /// Names that the file itself defines.
    defines: BTreeSet<String>,
    /// What it imports, private imports too: a child may name them.
    imports: Vec<Import>,
    /// Every path that code of the file names, with the module (of this file) in which it stands.
    names: Vec<(ModulePath, Vec<String>)>,
}

/// The files of one crate root, by module.
pub(crate) struct Files(BTreeMap<ModulePath, Module>);

impl Files {
    /// Reads a root (`lib.rs`, `main.rs`) and every file that it leads to. What is compiled for tests alone is left out.
    pub(crate) fn of(root: &Path) -> Self {
        let mut files = Self(BTreeMap::new());
        files.read(root, root.parent().unwrap(), &[]);
        files
    }

    fn read(&mut self, file: &Path, folder: &Path, at: &[String]) {
        let text = fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap();
        let mut scan = Scan {
            at: at.to_vec(),
            module: Module { file: file.to_owned(), defines: BTreeSet::new(), imports: Vec::new(), names: Vec::new() },
            children: Vec::new(),
            inline: 0,
        };
        scan.visit_file(&parsed);
        let children = scan.children;
        self.0.insert(at.to_vec(), scan.module);
        for child in children {
            let flat = folder.join(format!("{child}.rs"));
            let nested = folder.join(&child).join("mod.rs");
            let path: ModulePath = at.iter().cloned().chain([child.clone()]).collect();
            let found = if flat.is_file() { flat } else { nested };
            self.read(&found, &folder.join(&child), &path);
        }
    }

    /// The module whose file holds a module: inline modules lie in their parent's.
    fn holder(&self, path: &[String]) -> ModulePath {
        (0..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|path| self.0.contains_key(path))
            .expect("a root")
    }

    /// The file that really defines what a path of modules and a name leads to: `pub use` is followed.
    fn definer(&self, path: &[String], depth: usize) -> ModulePath {
        let holder = self.holder(path);
        let Some(name) = path.get(holder.len()) else { return holder };
        let module = &self.0[&holder];
        if depth == 0 || module.defines.contains(name) {
            return holder;
        }
        match module.imports.iter().find(|import| import.name == *name) {
            Some(import) => self.absolute(&holder, &import.path).map_or(holder, |path| self.definer(&path, depth - 1)),
            None => holder,
        }
    }

    /// A path as written in a module, from the root; `None` for what lies outside the crate.
    fn absolute(&self, at: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base: Vec<String> = at.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|one| one == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let child: Vec<String> = at.iter().cloned().chain([first.to_owned()]).collect();
                if !self.0.contains_key(&child) {
                    // A name that an import brought in, or another crate.
                    let holder = self.holder(at);
                    let import = self.0[&holder].imports.iter().find(|import| import.name == first)?;
                    if import.path.first().is_some_and(|one| one == first) {
                        return None;
                    }
                    let start = self.absolute(&holder, &import.path)?;
                    return Some(start.into_iter().chain(path[1..].iter().cloned()).collect());
                }
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// Which file names what another defines. A file may name its ancestors: a folder and what lies in it are one.
    fn arrows(&self) -> BTreeMap<&ModulePath, BTreeSet<ModulePath>> {
        let mut arrows = BTreeMap::new();
        for (from, module) in &self.0 {
            let mut to = BTreeSet::new();
            let imported = module.imports.iter().map(|import| (from, &import.path));
            for (at, path) in module.names.iter().map(|(at, path)| (at, path)).chain(imported) {
                let Some(path) = self.absolute(at, path) else { continue };
                let target = self.definer(&path, 8);
                if !from.starts_with(&target) {
                    to.insert(target);
                }
            }
            arrows.insert(from, to);
        }
        arrows
    }

    /// Circles: sets of files each of which leads to each other.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let arrows = self.arrows();
        let reach: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = arrows
            .keys()
            .map(|from| {
                let mut seen = BTreeSet::new();
                let mut open = vec![*from];
                while let Some(at) = open.pop() {
                    for to in arrows.get(at).into_iter().flatten() {
                        let Some((to, _)) = arrows.get_key_value(to) else { continue };
                        if seen.insert(*to) {
                            open.push(to);
                        }
                    }
                }
                (*from, seen)
            })
            .collect();
        let mut circles = BTreeSet::new();
        for (from, seen) in &reach {
            if seen.contains(from) {
                circles.insert(
                    seen.iter().filter(|to| reach[**to].contains(from)).map(|to| (*to).clone()).collect::<Vec<_>>(),
                );
            }
        }
        circles
            .into_iter()
            .map(|circle| {
                circle
                    .iter()
                    .map(|at| {
                        let to: Vec<String> =
                            arrows[at].iter().filter(|to| circle.contains(to)).map(|to| to.join("::")).collect();
                        format!("{} -> {}", self.0[at].file.display(), to.join(", "))
                    })
                    .collect()
            })
            .collect()
    }
}

/// Looks through one file.
struct Scan {
    at: ModulePath,
    module: Module,
    children: Vec<String>,
    inline: usize,
}

/// Whether an item is compiled for tests alone.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|one| {
        one.path().is_ident("cfg") && one.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl Scan {
    fn imports(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        let mut add = |name: String, path: Vec<String>| self.module.imports.push(Import { name, path });
        match tree {
            syn::UseTree::Path(path) => self.imports(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                add(before.last().cloned().unwrap_or_default(), before.to_vec());
            }
            syn::UseTree::Name(name) => add(name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(name) => add(name.rename.to_string(), with(&name.ident)),
            syn::UseTree::Glob(_) => add("*".to_owned(), before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|one| self.imports(one, before)),
        }
    }

    fn defines(&mut self, name: &syn::Ident) {
        if self.inline == 0 {
            self.module.defines.insert(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Scan {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (name, attributes) = match item {
            syn::Item::Const(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Enum(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Fn(one) => (Some(&one.sig.ident), &one.attrs),
            syn::Item::Static(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Struct(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Trait(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Type(one) => (Some(&one.ident), &one.attrs),
            syn::Item::Macro(one) => (one.ident.as_ref(), &one.attrs),
            syn::Item::Mod(one) => (None, &one.attrs),
            syn::Item::Impl(one) => (None, &one.attrs),
            syn::Item::Use(one) => (None, &one.attrs),
            _ => return syn::visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let Some(name) = name {
            self.defines(name);
        }
        match item {
            syn::Item::Use(one) => self.imports(&one.tree, &[]),
            syn::Item::Mod(one) if one.content.is_none() => self.children.push(one.ident.to_string()),
            syn::Item::Mod(one) => {
                self.defines(&one.ident);
                self.at.push(one.ident.to_string());
                self.inline += 1;
                syn::visit::visit_item(self, item);
                self.inline -= 1;
                self.at.pop();
            }
            _ => syn::visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|one| one.ident.to_string()).collect();
            self.module.names.push((self.at.clone(), segments));
        }
        syn::visit::visit_path(self, path);
    }
}
