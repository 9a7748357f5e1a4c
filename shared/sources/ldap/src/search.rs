//! Searches: whole ones page by page, single entries, and values that the server cuts into ranges.

use hardmatch_ports::SourceError;
use ldap3::controls::RawControl;
use ldap3::{LdapResult, ResultEntry, Scope};

use crate::controls;
use crate::refusal;
use crate::session::Session;
use crate::wire::{self, Answer, Range, WireEntry};

/// Entries a page: half of what Active Directory allows at most.
const PAGE: u16 = 500;

/// More ranges than any list of values has.
const RANGES: usize = 10_000;

/// Entries of one page, and the parts of the tree that lie elsewhere.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<WireEntry>,
    pub(crate) references: Vec<String>,
}

/// A search that is read page by page.
pub(crate) struct Pages<'a> {
    pub(crate) base: &'a str,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [&'a str],
    /// Asks for deleted entries, too.
    pub(crate) deleted: bool,
    /// A base that is not there has nothing below it.
    pub(crate) may_be_absent: bool,
    cookie: Option<Vec<u8>>,
}

impl<'a> Pages<'a> {
    /// Everything below a base.
    pub(crate) fn below(base: &'a str, filter: &'a str, attributes: &'a [&'a str]) -> Self {
        Self { base, filter, attributes, deleted: false, may_be_absent: false, cookie: Some(Vec::new()) }
    }

    /// The next page, with all values of its entries; `None` behind the last one.
    pub(crate) async fn next(&mut self, session: &mut Session) -> Result<Option<Found>, SourceError> {
        let Some(cookie) = self.cookie.take() else { return Ok(None) };
        let mut controls = vec![controls::paged(PAGE, &cookie)];
        controls.extend(self.deleted.then(controls::show_deleted));
        let (mut found, result) =
            session.search(self.base, Scope::Subtree, self.filter, self.attributes, controls).await?;
        match result.rc {
            0 => {}
            // No such object, or a name of none.
            32 | 34 if self.may_be_absent => return Ok(None),
            _ => return Err(refusal::search(session.asked(), &result)),
        }
        // A server that answers the same cookie with the same page forever is stopped by the limit on the whole. Where an
        // answer does not say whether there is another page, the listing may be a part: a server that does not page has to
        // refuse the request.
        let next = controls::next_page(&result.ctrls).ok_or_else(|| refusal::malformed(&session.server))?;
        self.cookie = Some(next).filter(|cookie| !cookie.is_empty());
        for entry in &mut found.entries {
            session.complete_ranges(entry).await?;
        }
        Ok(Some(found))
    }
}

impl Session {
    /// One search, as the server answers it.
    pub(crate) async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        controls: Vec<RawControl>,
    ) -> Result<(Found, LdapResult), SourceError> {
        let server = self.server.clone();
        let mut found = Found::default();
        let result = self
            .each_answer(base, scope, filter, attributes, controls, |result| {
                match wire::answer(result).ok_or_else(|| refusal::malformed(&server))? {
                    Answer::Entry(entry) => found.entries.push(entry),
                    Answer::Reference(url) => found.references.push(url),
                    Answer::Other => {}
                }
                Ok(())
            })
            .await?;
        Ok((found, result))
    }

    /// One search whose answers are taken one by one.
    pub(crate) async fn each_answer(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        controls: Vec<RawControl>,
        mut take: impl FnMut(ResultEntry) -> Result<(), SourceError>,
    ) -> Result<LdapResult, SourceError> {
        let server = self.server.clone();
        let broken = |error| refusal::connection(&server, &error);
        if !controls.is_empty() {
            self.ldap.with_controls(controls);
        }
        let mut stream = self
            .ldap
            .with_timeout(self.settings.limits.answer)
            .streaming_search(base, scope, filter, attributes.to_vec())
            .await
            .map_err(broken)?;
        while let Some(result) = stream.next().await.map_err(broken)? {
            take(result)?;
        }
        Ok(stream.finish().await)
    }

    /// The one entry that a search finds; `None` where it finds none, or its base is not there.
    pub(crate) async fn entry(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Option<WireEntry>, SourceError> {
        Ok(self.few(base, scope, filter, attributes).await?.into_iter().next())
    }

    /// The few entries that a search finds, with all their values.
    pub(crate) async fn few(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<WireEntry>, SourceError> {
        if scope != Scope::Base {
            // In pages: a server may allow fewer entries than are asked for.
            let mut pages = Pages { may_be_absent: true, ..Pages::below(base, filter, attributes) };
            let mut entries = Vec::new();
            while let Some(found) = pages.next(self).await? {
                entries.extend(found.entries);
            }
            return Ok(entries);
        }
        let (mut found, result) = self.search(base, scope, filter, attributes, Vec::new()).await?;
        match result.rc {
            0 => {}
            // No such object, or a name of none.
            32 | 34 => return Ok(Vec::new()),
            _ => return Err(refusal::search(self.asked(), &result)),
        }
        for entry in &mut found.entries {
            self.complete_ranges(entry).await?;
        }
        Ok(found.entries)
    }

    /// That the base is there and may be read.
    pub(crate) async fn require_base(&mut self) -> Result<(), SourceError> {
        let base = self.settings.base.clone();
        let (found, result) = self.search(&base, Scope::Base, "(objectClass=*)", &["1.1"], Vec::new()).await?;
        if result.rc == 0 && !found.entries.is_empty() {
            return Ok(());
        }
        // An account without rights is shown nothing, with success.
        let hidden = LdapResult { rc: if result.rc == 0 { 32 } else { result.rc }, ..result };
        Err(refusal::search(self.asked(), &hidden))
    }

    /// Reads lists of values to their end, which the server gave a part of.
    /// <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/7b5a0d1a-a44b-4b43-9b4c-a5b4ae0c1a4d>
    async fn complete_ranges(&mut self, entry: &mut WireEntry) -> Result<(), SourceError> {
        let mut whole: Vec<String> = Vec::new();
        for at in 0..entry.attributes.len() {
            if entry.attributes[at].range() == Range::Whole {
                continue;
            }
            let mut next = entry.attributes[at].range().next();
            let name = entry.attributes[at].base().to_owned();
            for _ in 0..RANGES {
                let Some(from) = next else { break };
                let wanted = format!("{name};range={from}-*");
                let (found, result) =
                    self.search(&entry.dn, Scope::Base, "(objectClass=*)", &[&wanted], Vec::new()).await?;
                if result.rc != 0 {
                    return Err(refusal::search(self.asked(), &result));
                }
                let part = found.entries.into_iter().flat_map(|entry| entry.attributes);
                let part = part
                    .into_iter()
                    .find(|part| part.base().eq_ignore_ascii_case(&name) && part.range() != Range::Whole);
                let Some(part) = part else {
                    // The list became shorter meanwhile, or went: it is read again with everything else.
                    return Err(SourceError {
                        problem: format!("A list of {name} changed while it was read"),
                        cure: "It is read again".to_owned(),
                        retry: true,
                    });
                };
                next = part.range().next();
                entry.attributes[at].values.extend(part.values);
            }
            entry.attributes[at].name.clone_from(&name);
            whole.push(name);
        }
        // Active Directory gives the plain name beside a part of the list, without values.
        entry.attributes.retain(|attribute| {
            !attribute.values.is_empty() || !whole.iter().any(|name| attribute.name.eq_ignore_ascii_case(name))
        });
        Ok(())
    }
}
