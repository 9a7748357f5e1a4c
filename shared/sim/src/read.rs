//! Reads of objects and collections (<https://learn.microsoft.com/graph/api/resources/user>).

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::filter::Filter;
use crate::object::{Mask, Object, write_value};
use crate::options;
use crate::permits;
use crate::schema::{Kind, at};
use crate::serve::Ask;
use crate::state::State;
use crate::tokens::Cursor;

/// `$expand=manager($select=id)`.
pub(crate) struct Expand {
    mask: Mask,
}

impl State {
    /// Finds a live object by id or, for users, by UPN, as a replica saw it.
    pub(crate) fn seen(&self, kind: Kind, key: &str, horizon: i64) -> Outcome<(u32, Arc<Object>)> {
        let slot = match Uuid::parse_str(key) {
            Ok(id) => self.dir.slot_of(id),
            Err(_) if kind == Kind::User => self.by_upn(key, horizon),
            Err(_) if kind == Kind::Group && key.starts_with("uniqueName=") => {
                let name = key.trim_start_matches("uniqueName=");
                self.dir.holding(crate::directory::Key::UniqueName, name).first().copied()
            }
            Err(_) => None,
        };
        slot.and_then(|s| Some((s, Arc::clone(self.dir.slot(s).seen(horizon)?))))
            .filter(|(_, o)| o.kind == kind && o.live())
            .ok_or_else(|| Refusal::not_found(key))
    }

    fn by_upn(&self, upn: &str, horizon: i64) -> Option<u32> {
        let now = self.dir.user_by_upn(upn);
        // A lagging replica may not know the new holder yet.
        now.filter(|s| self.dir.slot(*s).seen(horizon).is_some_and(|o| o.upn().eq_ignore_ascii_case(upn)))
    }

    pub(crate) fn get(&mut self, kind: Kind, ask: &Ask<'_>) -> Outcome {
        self.may_read(kind)?;
        ask.query.only(if kind == Kind::User { &["$select", "$expand"] } else { &["$select"] })?;
        let mask = columns(kind, ask, false)?;
        let expand = expand(ask)?;
        let horizon = self.read_horizon();
        let (_, object) = self.seen(kind, ask.key, horizon)?;
        Ok(Answer::bytes(200, self.entity(&object, mask, expand.as_ref(), horizon)))
    }

    /// One object as a document with its context.
    pub(crate) fn entity(&self, object: &Object, mask: Mask, expand: Option<&Expand>, horizon: i64) -> Vec<u8> {
        let mut out = b"{\"@odata.context\":".to_vec();
        write_value(&mut out, &json!(self.entity_context(object.kind)));
        object.write(&mut out, mask, true, false);
        self.write_manager(&mut out, object, expand, horizon);
        out.push(b'}');
        out
    }

    fn write_manager(&self, out: &mut Vec<u8>, object: &Object, expand: Option<&Expand>, horizon: i64) {
        let Some(expand) = expand else { return };
        let manager = object.manager.and_then(|m| self.dir.slot_of(m)).and_then(|s| self.dir.slot(s).seen(horizon));
        if let Some(manager) = manager.filter(|m| m.live()) {
            out.extend_from_slice(b",\"manager\":{\"@odata.type\":");
            write_value(out, &json!(manager.kind.odata()));
            manager.write(out, expand.mask, true, false);
            out.push(b'}');
        }
    }

    fn may_read(&self, kind: Kind) -> Outcome<()> {
        if kind == Kind::Contact && self.options.read_contacts == options::Reaction::Refuse {
            return Err(Refusal::denied());
        }
        Ok(())
    }

    pub(crate) fn count(&mut self, kind: Kind, ask: &Ask<'_>) -> Outcome {
        self.may_read(kind)?;
        ask.query.only(&["$filter"])?;
        if !ask.eventual() {
            return Err(Refusal::bad("$count is not currently supported.").violating("$count without ConsistencyLevel"));
        }
        let filter = ask.query.get("$filter").map(|f| Filter::parse(f, kind, true)).transpose()?;
        let horizon = self.list_horizon();
        let n = self
            .dir
            .of_kind(kind)
            .iter()
            .filter_map(|s| self.dir.slot(*s).seen(horizon))
            .filter(|o| o.live() && filter.as_ref().is_none_or(|f| f.matches(o)))
            .count();
        Ok(Answer::bytes(200, n.to_string().into_bytes()).with("content-type", "text/plain"))
    }

    /// How many objects a page has: the service may give fewer than were asked for.
    pub(crate) fn page_size(&self, ask: &Ask<'_>) -> Outcome<usize> {
        let asked = ask.query.top(self.options.page_size, self.options.max_top)?;
        Ok(asked.min(self.options.page_cap.unwrap_or(asked)))
    }

    pub(crate) fn list(&mut self, kind: Kind, ask: &Ask<'_>) -> Outcome {
        self.may_read(kind)?;
        ask.query.only(&["$select", "$filter", "$top", "$expand", "$orderby", "$search", "$count", "$skiptoken"])?;
        let advanced = ask.advanced();
        for option in ["$search", "$orderby"] {
            if ask.query.has(option) {
                return Err(Refusal::unknown(format!("the query option '{option}' here")));
            }
        }
        if ask.query.has("$count") && !ask.eventual() {
            return Err(Refusal::unsupported_query(
                "$count is only supported with the ConsistencyLevel:eventual header.",
            )
            .violating("$count without ConsistencyLevel"));
        }
        let expand = expand(ask)?;
        if expand.is_some() && (kind != Kind::User || advanced) {
            return Err(Refusal::unsupported_query("Expand is not supported here.")
                .violating("$expand where it is not allowed"));
        }
        let mask = columns(kind, ask, true)?;
        let filter = ask.query.get("$filter").map(|f| Filter::parse(f, kind, advanced)).transpose()?;
        let top = self.page_size(ask)?;
        let (start, end) = self.page_start(ask, self.dir.of_kind(kind).len() as u64)?;
        let horizon = self.list_horizon();

        let mut rows: Vec<u8> = Vec::new();
        let mut taken = 0;
        let mut next = None;
        let mut total = 0usize;
        let candidates = match &filter {
            Some(filter) => filter.candidates(&mut self.dir, horizon),
            None => None,
        };
        let dir = &self.dir;
        let (source, end) = match &candidates {
            Some(found) => (found.as_slice(), found.len() as u64),
            None => (dir.of_kind(kind), end),
        };
        let fits = |slot: u32| {
            dir.slot(slot)
                .seen(horizon)
                .filter(|o| o.kind == kind && o.live() && filter.as_ref().is_none_or(|f| f.matches(o)))
        };
        if ask.query.get("$count") == Some("true") {
            total = source.iter().filter(|s| fits(**s).is_some()).count();
        }
        let range = usize::try_from(start).unwrap_or(usize::MAX).min(source.len())
            ..usize::try_from(end).unwrap_or(0).min(source.len());
        for position in range {
            let Some(object) = fits(source[position]) else { continue };
            if taken == top {
                next = Some(position as u64);
                break;
            }
            if taken > 0 {
                rows.push(b',');
            }
            taken += 1;
            rows.push(b'{');
            object.write(&mut rows, mask, true, true);
            self.write_manager(&mut rows, object, expand.as_ref(), horizon);
            rows.push(b'}');
        }
        let total = (ask.query.get("$count") == Some("true")).then_some(total);
        Ok(self.page(ask, kind.set(), &rows, total, next.map(|n| (n, end))))
    }

    /// Where a page begins, and where the collection ended when the listing started.
    pub(crate) fn page_start(&self, ask: &Ask<'_>, len: u64) -> Outcome<(u64, u64)> {
        let Some(token) = ask.query.get("$skiptoken") else { return Ok((0, len)) };
        // https://learn.microsoft.com/en-us/answers/questions/2337800/how-to-handle-directory-expiredpagetoken-error-in
        let expired = || {
            Refusal::new(
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            )
        };
        match Cursor::decode(token) {
            Some(Cursor::Page { at, end, issued })
                if self.now() - issued <= i64::from(self.options.page_token_seconds) * 1000 =>
            {
                Ok((at, end.max(len)))
            }
            Some(_) => Err(expired()),
            None => {
                Err(Refusal::bad("The specified page token is not valid.")
                    .violating("a $skiptoken that was not issued"))
            }
        }
    }

    /// A collection page.
    pub(crate) fn page(
        &self,
        ask: &Ask<'_>,
        set: &str,
        rows: &[u8],
        total: Option<usize>,
        next: Option<(u64, u64)>,
    ) -> Answer {
        let context = match ask.query.get("$select") {
            Some(select) => format!("{set}({select})"),
            None => set.to_owned(),
        };
        let mut out = b"{\"@odata.context\":".to_vec();
        write_value(&mut out, &json!(self.context(&context)));
        if let Some(total) = total {
            out.extend_from_slice(format!(",\"@odata.count\":{total}").as_bytes());
        }
        if let Some((at, end)) = next {
            let token = Cursor::Page { at, end, issued: self.now() }.encode();
            let version = if ask.call.beta { "beta" } else { "v1.0" };
            let link = format!("{}/{version}{}?{}", self.base, ask.call.path, ask.query.with_skiptoken(&token));
            out.extend_from_slice(b",\"@odata.nextLink\":");
            write_value(&mut out, &json!(link));
        }
        out.extend_from_slice(b",\"value\":[");
        out.extend_from_slice(rows);
        out.extend_from_slice(b"]}");
        Answer::bytes(200, out)
    }

    pub(crate) fn get_manager(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let mask = ask.query.select(Kind::User, ask.call.beta, false)?;
        let horizon = self.read_horizon();
        let (_, user) = self.seen(Kind::User, ask.key, horizon)?;
        let manager = user
            .manager
            .and_then(|m| self.dir.slot_of(m))
            .and_then(|s| self.dir.slot(s).seen(horizon))
            .filter(|m| m.live())
            .ok_or_else(|| Refusal::not_found("manager"))?;
        let mut out = b"{\"@odata.context\":".to_vec();
        write_value(&mut out, &json!(self.context("directoryObjects/$entity")));
        out.extend_from_slice(b",\"@odata.type\":");
        write_value(&mut out, &json!(manager.kind.odata()));
        manager.write(
            &mut out,
            if manager.kind == Kind::User { mask } else { Mask(manager.kind.defaults()) },
            true,
            false,
        );
        out.push(b'}');
        Ok(Answer::bytes(200, out))
    }
}

/// The selected properties, as far as the caller may read them.
fn columns(kind: Kind, ask: &Ask<'_>, collection: bool) -> Outcome<Mask> {
    let mask = ask.query.select(kind, ask.call.beta, collection)?;
    if ask.query.selects("signInActivity") {
        permits::sign_ins(ask.caller)?;
    }
    Ok(if kind == Kind::User { mask.and(permits::readable(ask.caller)) } else { mask })
}

/// `$expand=manager` or `$expand=manager($select=…)`; nothing else is modelled.
fn expand(ask: &Ask<'_>) -> Outcome<Option<Expand>> {
    let Some(text) = ask.query.get("$expand") else { return Ok(None) };
    let Some(rest) = text.strip_prefix("manager") else {
        return Err(Refusal::unknown(format!("$expand={text}")));
    };
    if rest.is_empty() {
        return Ok(Some(Expand { mask: Mask(Kind::User.defaults()) }));
    }
    let inner = rest.strip_prefix("($select=").and_then(|r| r.strip_suffix(')'));
    let Some(inner) = inner else { return Err(Refusal::unknown(format!("$expand={text}"))) };
    let mut mask = Mask::of(&[at::ID]);
    for name in inner.split(',').map(str::trim) {
        mask.add(Kind::User.find(name).ok_or_else(|| Refusal::unknown(format!("the property '{name}' in $expand")))?);
    }
    Ok(Some(Expand { mask }))
}
