//! Delta query, with the traps its documentation warns of
//! (<https://learn.microsoft.com/graph/delta-query-overview>, <https://learn.microsoft.com/graph/delta-query-users>).

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::directory::Link;
use crate::filter::{Filter, Literal, Op};
use crate::object::{Mask, Object, write_value};
use crate::options;
use crate::schema::{Kind, at};
use crate::serve::Ask;
use crate::state::State;
use crate::tokens::{Cursor, Round};

const DAY_MS: i64 = 86_400_000;
/// Ids in a delta filter.
const MAX_IDS: usize = 50;

/// 410: start again. The location repeats the path but not `$select`.
pub(crate) fn gone(base: &str, path: &str) -> Box<Refusal> {
    Refusal::new(410, "resyncRequired", "Resync required. Any differences must be synchronized again.")
        .with("location", format!("{base}/v1.0{path}?$deltatoken="))
}

/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
fn expired() -> Box<Refusal> {
    Refusal::new(
        400,
        "syncStateNotFound",
        "The sync state generation is not found. The delta token is expired and data must be synchronized again.",
    )
}

impl State {
    pub(crate) fn delta(&mut self, kind: Kind, ask: &Ask<'_>) -> Outcome {
        if kind == Kind::Contact && self.options.read_contacts == options::Reaction::Refuse {
            return Err(Refusal::denied());
        }
        ask.query.only(&["$select", "$filter", "$top", "$skiptoken", "$deltatoken"])?;
        let token = ask.query.get("$skiptoken").or(ask.query.get("$deltatoken")).unwrap_or_default();
        let horizon = self.now() - self.options.lag.delta().max(self.stale_ms);
        if token.is_empty() || token == "latest" {
            return self.first_round(kind, ask, token == "latest", horizon);
        }
        // Tokens carry the options; adding some to a link is the caller's mistake.
        if ["$select", "$filter", "$top"].iter().any(|o| ask.query.has(o)) {
            return Err(Refusal::bad("Query options cannot be added to a delta token.")
                .violating("query options added to a delta link"));
        }
        let Some(Cursor::Delta(mut round)) = Cursor::decode(token) else {
            return Err(Refusal::bad("The delta token is not valid.").violating("a delta token that was not issued"));
        };
        if round.set != kind.set() {
            return Err(Refusal::bad("The delta token is not valid.").violating("a delta token of another collection"));
        }
        if round.epoch != self.delta_epoch {
            return Err(gone(&self.base, &format!("/{}/delta", kind.set())));
        }
        let age = self.now() - round.issued;
        if age > i64::from(self.options.delta_token_days) * DAY_MS || round.from < self.dir.log_base {
            return Err(expired());
        }
        if round.link {
            round.link = false;
            round.to = self.dir.log_seen(horizon).max(round.from);
            if self.rng.chance(self.options.delta.replays) {
                // Rounds may repeat changes that were seen before.
                let back = 1 + self.rng.below(20) as u64;
                round.from = round.from.saturating_sub(back).max(self.dir.log_base);
            }
            round.at = round.from;
        }
        Ok(self.delta_page(kind, ask, round, horizon))
    }

    fn first_round(&mut self, kind: Kind, ask: &Ask<'_>, latest: bool, horizon: i64) -> Outcome {
        let select = ask
            .query
            .has("$select")
            .then(|| ask.query.select(kind, ask.call.beta, true))
            .transpose()?
            .map(|mask| format!("{:x}", mask.0));
        let ids = match ask.query.get("$filter") {
            None => Vec::new(),
            Some(text) => ids(text, kind)?,
        };
        let seen = self.dir.log_seen(horizon);
        let round = Round {
            set: kind.set().to_owned(),
            from: seen,
            to: seen,
            at: if latest { seen } else { 0 },
            end: (!latest).then(|| self.dir.of_kind(kind).len() as u64),
            link: false,
            issued: self.now(),
            epoch: self.delta_epoch,
            select,
            ids,
            page: 0,
        };
        Ok(self.delta_page(kind, ask, round, horizon))
    }

    fn delta_page(&mut self, kind: Kind, ask: &Ask<'_>, mut round: Round, horizon: i64) -> Answer {
        let tracked =
            round.select.as_deref().and_then(|s| u128::from_str_radix(s, 16).ok()).map_or(Mask(kind.defaults()), Mask);
        // https://learn.microsoft.com/graph/delta-query-overview#optional-request-header
        let asked = ask.call.header("prefer").is_some_and(|p| p.replace(' ', "").contains("return=minimal"));
        let minimal = asked || self.options.delta.changed_only;
        let size = self.options.delta_page_size.max(1);
        let more_to_come = round.end.map_or(round.at < round.to, |end| round.at < end);
        let empty = more_to_come && round.page < 1_000 && self.rng.chance(self.options.delta.empty_pages);
        let mut rows: Vec<Vec<u8>> = Vec::new();
        let mut carried = None;
        if !empty {
            carried = self.repeat(kind, &round, tracked, horizon);
            while rows.len() < size {
                let row = match round.end {
                    Some(end) if round.at < end => self.first_row(kind, &round, tracked, horizon),
                    None if round.at < round.to => self.change_row(kind, &round, tracked, minimal, horizon),
                    _ => break,
                };
                round.at += 1;
                rows.extend(row);
            }
        }
        rows.extend(carried);
        let done = !empty && round.end.map_or(round.at >= round.to, |end| round.at >= end);
        round.page += 1;
        let version = if ask.call.beta { "beta" } else { "v1.0" };
        let path = format!("{}/{version}/{}/delta", self.base, kind.set());
        let (name, link) = if done {
            // What the round could not see yet comes in the next one.
            let from = if round.end.is_some() { round.from } else { round.to };
            let next = Round { from, to: from, at: from, end: None, link: true, issued: self.now(), page: 0, ..round };
            ("@odata.deltaLink", format!("{path}?$deltatoken={}", Cursor::Delta(next).encode()))
        } else {
            ("@odata.nextLink", format!("{path}?$skiptoken={}", Cursor::Delta(round).encode()))
        };
        let mut out = b"{\"@odata.context\":".to_vec();
        write_value(&mut out, &json!(self.context(kind.set())));
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        write_value(&mut out, &json!(link));
        out.extend_from_slice(b",\"value\":[");
        out.extend_from_slice(&rows.join(&b','));
        out.extend_from_slice(b"]}");
        let answer = Answer::bytes(200, out);
        if asked { answer.with("preference-applied", "return=minimal") } else { answer }
    }

    /// An object of an earlier page, once more.
    fn repeat(&mut self, kind: Kind, round: &Round, tracked: Mask, horizon: i64) -> Option<Vec<u8>> {
        let end = round.end?;
        if round.at == 0 || end == 0 || !self.rng.chance(self.options.delta.duplicates) {
            return None;
        }
        let at = self.rng.below(usize::try_from(round.at).unwrap_or(1)) as u64;
        self.first_row(kind, &Round { at, ..round.clone() }, tracked, horizon)
    }

    /// The object at this position of a first round.
    fn first_row(&self, kind: Kind, round: &Round, tracked: Mask, horizon: i64) -> Option<Vec<u8>> {
        let slot = *self.dir.of_kind(kind).get(usize::try_from(round.at).ok()?)?;
        let object = self.dir.slot(slot).seen(horizon)?;
        if !round.ids.is_empty() && !round.ids.contains(&object.id) {
            return None;
        }
        if !object.live() {
            let shown = self.options.delta.removed_in_first_round;
            return shown.then(|| removed(object));
        }
        Some(self.row(object, tracked, None, false))
    }

    /// The change at this position of the log, unless a later one of the same round tells it.
    fn change_row(&self, kind: Kind, round: &Round, tracked: Mask, minimal: bool, horizon: i64) -> Option<Vec<u8>> {
        let change = self.dir.change(round.at)?;
        let slot = self.dir.slot(change.slot);
        if slot.object.kind != kind {
            return None;
        }
        let mut mask = Mask::default();
        let mut links: Vec<Link> = Vec::new();
        for position in slot.changes.iter().filter(|p| (round.from..round.to).contains(*p)) {
            if *position > round.at {
                return None;
            }
            let change = self.dir.change(*position)?;
            mask = mask.or(change.mask);
            // The last word on each relationship counts.
            for link in &change.links {
                links.retain(|(p, id, _)| (*p, *id) != (link.0, link.1));
                links.push(*link);
            }
        }
        let object = slot.seen(horizon)?;
        if !round.ids.is_empty() && !round.ids.contains(&object.id) {
            return None;
        }
        if !object.live() {
            return Some(removed(object));
        }
        if !mask.meets(tracked) {
            return None;
        }
        Some(self.row(object, if minimal { tracked.and(mask) } else { tracked }, Some(&links), minimal))
    }

    /// One object with its properties, and its relationships: all of them, or those that came and went.
    /// Of a row that shows only what changed, a property without a value was cleared.
    fn row(&self, object: &Object, mut shown: Mask, links: Option<&[Link]>, cleared_as_null: bool) -> Vec<u8> {
        shown.add(at::ID);
        let mut out = vec![b'{'];
        object.write(&mut out, shown, cleared_as_null, true);
        let lists: &[(u8, &str, &[Uuid])] = match object.kind {
            Kind::User => &[(at::MANAGER, "manager@delta", object.manager.as_slice())],
            Kind::Group => {
                &[(at::MEMBERS, "members@delta", &object.members), (at::OWNERS, "owners@delta", &object.owners)]
            }
            Kind::Contact => &[],
        };
        for (prop, name, all) in lists.iter().filter(|(prop, ..)| shown.has(*prop)) {
            let entries: Vec<Value> = match links {
                None => all.iter().filter_map(|id| self.link(*id, true)).collect(),
                Some(links) => {
                    links.iter().filter(|(p, ..)| p == prop).filter_map(|(_, id, came)| self.link(*id, *came)).collect()
                }
            };
            if !entries.is_empty() {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                write_value(&mut out, &json!(entries));
            }
        }
        out.push(b'}');
        out
    }

    fn link(&self, id: Uuid, came: bool) -> Option<Value> {
        let object = self.dir.by_id(id)?;
        let mut entry = json!({ "@odata.type": object.kind.odata(), "id": id.to_string() });
        if !came {
            entry["@removed"] = json!({ "reason": "deleted" });
        } else if !object.live() {
            return None;
        }
        Some(entry)
    }
}

fn removed(object: &Object) -> Vec<u8> {
    // Soft-deleted objects can come back; purged ones cannot.
    let reason = if object.purged { "deleted" } else { "changed" };
    json!({ "id": object.id.to_string(), "@removed": { "reason": reason } }).to_string().into_bytes()
}

/// `id eq '…' or id eq '…'`, nothing else.
fn ids(text: &str, kind: Kind) -> Outcome<Vec<Uuid>> {
    let refuse = || {
        Refusal::unsupported_query("Only filters on 'id' with 'eq' and 'or' are supported by delta queries.")
            .violating("a delta filter other than on id")
    };
    let clauses = match Filter::parse(text, kind, true)? {
        Filter::Or(all) => all,
        one => vec![one],
    };
    if clauses.len() > MAX_IDS {
        return Err(refuse());
    }
    clauses
        .into_iter()
        .map(|clause| match clause {
            Filter::Compare(at::ID, Op::Eq, Literal::Text(id) | Literal::Bare(id)) => {
                Uuid::parse_str(&id).map_err(|_| refuse())
            }
            _ => Err(refuse()),
        })
        .collect()
}
