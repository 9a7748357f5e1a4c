//! One controller: its entries, what the account may do there, its limits, and what it was asked.

use std::collections::HashMap;

use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapBindResponse, LdapFilter, LdapMsg, LdapOp, LdapPartialAttribute,
    LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope,
};

use super::Reply;
use super::answers::{fits, shown};
use super::faults::{Fault, On, Planned, result, spoil};
use super::tree::{Entry, Tree, is_below};
use super::{DOMAIN, PASSWORD, READER};

/// Entries that a page may have, and values that an attribute may have, on Windows.
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/3f0137a1-63df-400c-bf97-e1040f055a99>
const PAGE: usize = 1_000;
const VALUES: usize = 1_500;

/// What a connection holds of searches that go on, by their cookies.
#[derive(Default)]
pub(super) struct ResultSets(HashMap<Vec<u8>, Vec<LdapSearchResultEntry>>);

/// A controller.
pub(crate) struct Controller {
    pub(crate) tree: Tree,
    /// The account may replicate changes.
    pub(crate) replicates: bool,
    /// The control for changes is there at all.
    pub(crate) dir_sync: bool,
    /// The account may see deleted entries.
    pub(crate) sees_deletions: bool,
    /// What is below these names is not shown.
    pub(crate) hidden: Vec<String>,
    /// Entries of a page, values of an attribute, and changed entries of one answer, at most.
    pub(crate) page: usize,
    pub(crate) values: usize,
    pub(crate) changes: usize,
    /// Passwords that were sent.
    pub(crate) passwords: Vec<String>,
    /// Listings of people that were begun, and pages of them that were given.
    pub(crate) listings: usize,
    pub(crate) pages: usize,
    /// Cookies with which changes were asked for.
    pub(crate) cookies: Vec<String>,
    /// Faults that have come.
    pub(crate) faults_seen: usize,
    faults: Vec<Planned>,
}

impl Controller {
    pub(super) fn new(tree: Tree) -> Self {
        Self {
            tree,
            replicates: false,
            dir_sync: true,
            sees_deletions: false,
            hidden: Vec::new(),
            page: PAGE,
            values: VALUES,
            changes: PAGE,
            passwords: Vec::new(),
            listings: 0,
            pages: 0,
            cookies: Vec::new(),
            faults_seen: 0,
            faults: Vec::new(),
        }
    }

    /// Plans a fault, behind so many requests of its kind that go well.
    pub(crate) fn plan(&mut self, on: On, skip: usize, fault: Fault) {
        self.faults.push(Planned { on, skip, fault });
    }

    /// Takes back what was planned and did not come.
    pub(crate) fn be_well(&mut self) {
        self.faults.clear();
    }

    /// Answers a request; `None` where the other side says goodbye.
    pub(super) fn answer(&mut self, message: LdapMsg, sets: &mut ResultSets) -> Option<Reply> {
        let id = message.msgid;
        let (on, good) = match message.op {
            LdapOp::BindRequest(bind) => (On::Bind, Reply { messages: vec![self.bind(id, bind)], ..Reply::default() }),
            LdapOp::SearchRequest(search) => {
                let on = kind_of(&search, &message.ctrl);
                (on, Reply { messages: self.search(id, &search, &message.ctrl, sets), ..Reply::default() })
            }
            LdapOp::AbandonRequest(_) => return Some(Reply::default()),
            _ => return None,
        };
        let Some(at) = self.faults.iter().position(|planned| planned.on == on) else { return Some(good) };
        if self.faults[at].skip > 0 {
            self.faults[at].skip -= 1;
            return Some(good);
        }
        self.faults_seen += 1;
        let planned = self.faults.remove(at);
        Some(spoil(good, id, &planned.fault))
    }

    fn bind(&mut self, id: i32, bind: LdapBindRequest) -> LdapMsg {
        let LdapBindCred::Simple(password) = bind.cred else { panic!("only simple binds are sent") };
        let known = bind.dn == READER && password == PASSWORD;
        self.passwords.push(password);
        let mut res = result(if known { 0 } else { 49 });
        if !known {
            "80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data 52e, v4563"
                .clone_into(&mut res.message);
        }
        LdapMsg::new(id, LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None }))
    }

    fn search(
        &mut self,
        id: i32,
        search: &LdapSearchRequest,
        controls: &[LdapControl],
        sets: &mut ResultSets,
    ) -> Vec<LdapMsg> {
        let (mut entries, mut code, mut control) = (Vec::new(), 0, None);
        if let Some(entry) = self.own(search) {
            entries.push(entry);
        } else if let Some((flags, cookie)) = controls.iter().find_map(dir_sync_of) {
            match self.changed(search, flags, &cookie) {
                Ok((found, more, next)) => {
                    entries = found;
                    let cookie = Some(next.into_bytes());
                    control = Some(LdapControl::AdDirsync { flags: i64::from(more), max_bytes: 0, cookie });
                }
                Err(refused) => code = refused,
            }
        } else if let Some((size, cookie)) = controls.iter().find_map(page_of) {
            if cookie.is_empty() && kind_of(search, controls) == On::Listing {
                self.listings += 1;
            }
            match self.page(search, controls, size, &cookie, sets) {
                Ok((found, next)) => {
                    entries = found;
                    control = Some(LdapControl::SimplePagedResults { size: 0, cookie: next });
                    self.pages += usize::from(kind_of(search, controls) == On::Listing);
                }
                Err(refused) => code = refused,
            }
        } else {
            match self.found(search, controls) {
                Ok(found) => entries = found,
                Err(refused) => code = refused,
            }
            // Without pages, a result is cut off at the limit.
            if entries.len() > self.page {
                entries.truncate(self.page);
                code = 4;
            }
        }
        let mut messages: Vec<LdapMsg> =
            entries.into_iter().map(|entry| LdapMsg::new(id, LdapOp::SearchResultEntry(entry))).collect();
        let done = LdapOp::SearchResultDone(result(code));
        messages.push(LdapMsg::new_with_ctrls(id, done, control.into_iter().collect()));
        messages
    }

    /// What the controller says of itself and of the forest.
    fn own(&self, search: &LdapSearchRequest) -> Option<LdapSearchResultEntry> {
        if search.scope != LdapSearchScope::Base {
            return None;
        }
        let base = search.base.to_lowercase();
        let attributes: Vec<(&str, Vec<String>)> = if base.is_empty() {
            let controls = ["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.841", "1.2.840.113556.1.4.417"];
            vec![
                ("supportedCapabilities", vec!["1.2.840.113556.1.4.800".to_owned()]),
                ("namingContexts", vec![DOMAIN.to_owned(), format!("CN=Configuration,{DOMAIN}")]),
                ("defaultNamingContext", vec![DOMAIN.to_owned()]),
                ("configurationNamingContext", vec![format!("CN=Configuration,{DOMAIN}")]),
                ("supportedControl", controls.map(str::to_owned).to_vec()),
                ("dsServiceName", vec![format!("CN=NTDS Settings,CN=DC,CN=Configuration,{DOMAIN}")]),
                ("highestCommittedUSN", vec![self.tree.usn.to_string()]),
                ("currentTime", vec!["20261121000000.0Z".to_owned()]),
            ]
        } else if base.starts_with("cn=ntds settings,") {
            vec![("invocationId", vec![self.tree.invocation.clone()])]
        } else if base.starts_with("cn=directory service,") {
            vec![("tombstoneLifetime", self.tree.tombstone_days.iter().map(u32::to_string).collect())]
        } else if base.starts_with("cn=deleted objects,") && self.sees_deletions {
            vec![("objectClass", vec!["container".to_owned()])]
        } else {
            return None;
        };
        let wanted = |name: &str| search.attrs.iter().any(|attr| attr.eq_ignore_ascii_case(name));
        let attribute = |(name, values): (&str, Vec<String>)| LdapPartialAttribute {
            atype: name.to_owned(),
            vals: values.into_iter().map(String::into_bytes).collect(),
        };
        let attributes = attributes.into_iter().filter(|(name, values)| wanted(name) && !values.is_empty());
        Some(LdapSearchResultEntry { dn: search.base.clone(), attributes: attributes.map(attribute).collect() })
    }

    fn is_shown(&self, entry: &Entry, deleted: bool) -> bool {
        let is_hidden = |unit: &String| is_below(&entry.dn, unit) && !entry.dn.eq_ignore_ascii_case(unit);
        (!entry.deleted || (deleted && self.sees_deletions)) && !self.hidden.iter().any(is_hidden)
    }

    /// Everything that fits a search.
    fn found(&self, search: &LdapSearchRequest, controls: &[LdapControl]) -> Result<Vec<LdapSearchResultEntry>, u32> {
        let groups = self.tree.groups();
        let deleted = controls.iter().any(|control| matches!(control, LdapControl::ShowDeleted { .. }));
        let entries = || self.tree.entries.values().filter(|entry| self.is_shown(entry, deleted));
        if !entries().any(|entry| entry.dn.eq_ignore_ascii_case(&search.base)) {
            return Err(32);
        }
        let within = |entry: &&Entry| match search.scope {
            LdapSearchScope::Base => entry.dn.eq_ignore_ascii_case(&search.base),
            _ => is_below(&entry.dn, &search.base),
        };
        let fitting = entries().filter(within).filter(|entry| fits(&groups, entry, &search.filter));
        Ok(fitting.map(|entry| shown(&groups, entry, &search.attrs, self.values, None)).collect())
    }

    /// A page of what fits, and the cookie of the next one. A result is held by its connection.
    fn page(
        &self,
        search: &LdapSearchRequest,
        controls: &[LdapControl],
        size: usize,
        cookie: &[u8],
        sets: &mut ResultSets,
    ) -> Result<(Vec<LdapSearchResultEntry>, Vec<u8>), u32> {
        let mut entries =
            if cookie.is_empty() { self.found(search, controls)? } else { sets.0.remove(cookie).ok_or(53_u32)? };
        let rest = entries.split_off(entries.len().min(size.min(self.page)));
        if rest.is_empty() {
            return Ok((entries, Vec::new()));
        }
        let next = format!("{} left of {}", rest.len(), search.base).into_bytes();
        sets.0.insert(next.clone(), rest);
        Ok((entries, next))
    }

    /// What changed since a cookie: entries, whether there are more, and the next cookie.
    fn changed(
        &mut self,
        search: &LdapSearchRequest,
        flags: i64,
        cookie: &[u8],
    ) -> Result<(Vec<LdapSearchResultEntry>, bool, String), u32> {
        let as_reader = flags & 1 != 0;
        if !self.dir_sync {
            return Err(12);
        }
        if search.base != DOMAIN || !(as_reader || self.replicates) {
            return Err(50);
        }
        let cookie = String::from_utf8(cookie.to_vec()).map_err(|_| 12_u32)?;
        let since = match cookie.split_once(':') {
            None => 0,
            Some((_, usn)) => usn.parse().map_err(|_| 12_u32)?,
        };
        if !cookie.is_empty() {
            self.cookies.push(cookie);
        }
        let groups = self.tree.groups();
        let told = |entry: &&Entry| {
            entry.usn > since
                && (!entry.deleted || !as_reader || self.sees_deletions)
                && (entry.deleted || self.is_shown(entry, false))
                && fits(&groups, entry, &search.filter)
        };
        let mut entries: Vec<&Entry> = self.tree.entries.values().filter(told).collect();
        entries.sort_by_key(|entry| entry.usn);
        let more = entries.len() > self.changes;
        entries.truncate(self.changes);
        let last = if more { entries.last().map_or(since, |entry| entry.usn) } else { self.tree.usn };
        let found = entries.into_iter().map(|entry| shown(&groups, entry, &search.attrs, usize::MAX, Some(since)));
        // Without an attribute that was asked for, an entry is not told.
        let found = found.filter(|entry| entry.attributes.len() > 1).collect();
        Ok((found, more, format!("{}:{last}", self.tree.invocation)))
    }
}

fn dir_sync_of(control: &LdapControl) -> Option<(i64, Vec<u8>)> {
    match control {
        LdapControl::AdDirsync { flags, cookie, .. } => Some((*flags, cookie.clone().unwrap_or_default())),
        _ => None,
    }
}

fn page_of(control: &LdapControl) -> Option<(usize, Vec<u8>)> {
    match control {
        LdapControl::SimplePagedResults { size, cookie } => Some((usize::try_from(*size).unwrap(), cookie.clone())),
        _ => None,
    }
}

fn kind_of(search: &LdapSearchRequest, controls: &[LdapControl]) -> On {
    let asks = |name: &str, value: &str| asks_for(&search.filter, name, Some(value));
    if controls.iter().find_map(dir_sync_of).is_some_and(|(_, cookie)| !cookie.is_empty()) {
        On::Changes
    } else if asks_for(&search.filter, "objectGUID", None) {
        On::Entries
    } else if controls.iter().any(|control| page_of(control).is_some()) && asks("objectCategory", "person") {
        On::Listing
    } else if asks("objectClass", "group") && !asks("objectClass", "user") {
        On::Groups
    } else {
        On::Other
    }
}

/// Whether an attribute is asked for in a filter.
fn asks_for(filter: &LdapFilter, name: &str, value: Option<&str>) -> bool {
    match filter {
        LdapFilter::And(all) | LdapFilter::Or(all) => all.iter().any(|one| asks_for(one, name, value)),
        LdapFilter::Equality(attribute, is) => {
            attribute.eq_ignore_ascii_case(name) && value.is_none_or(|value| value == is)
        }
        _ => false,
    }
}
