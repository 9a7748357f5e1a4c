//! A month of a small company whose source is damaged now and then: people come, go, return, marry, get other keys and
//! other people's names, roles come and go, the table is restored from a backup. What is true stands here; what the
//! engine believes must not do harm to it.

use std::collections::BTreeSet;

use hardmatch_tests::damage::company::{Company, Form, WRITTEN};
use hardmatch_tests::damage::fault::{Kind, damage};
use hardmatch_tests::damage::looks::Looks;
use hardmatch_tests::{Backup, Night, Rng, Seen, Trial, guid, immutable_id, invariants};
use serde_json::json;

/// Days that are played.
const DAYS: usize = 30;
/// Nights in which an operator applies every plan, at the end.
const SETTLING: usize = 12;
/// The domain of people who never worked here.
const STRANGERS: &str = "fabrikam.example";

/// Somebody who is or was in the company.
#[derive(Clone)]
struct Person {
    /// Their row, under the company's columns.
    row: Vec<String>,
    /// Everything that was ever their anchor.
    anchors: Vec<String>,
    listed: bool,
}

/// A month that is being played.
pub(crate) struct Month {
    seed: u64,
    rng: Rng,
    trial: Trial,
    company: Company,
    people: Vec<Person>,
    /// Four percent leave every day, and nobody comes.
    bleeds: bool,
    /// Accounts that were blocked without an approval: the day, and which account.
    blocked: Vec<(usize, String)>,
    backup: Option<Backup>,
    log: Vec<String>,
}

impl Month {
    pub(crate) async fn begin(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6d6f_6e74_6873);
        let company = Company::new(&mut rng, Form::Csv);
        let is_partial = rng.happens(50);
        let setup = Trial::of(company.file(), company.whole())
            .seed(|seed| seed.with(|options| options.delta.changed_only = is_partial));
        let people = company.rows.iter().map(|row| Person::new(row.clone())).collect();
        let bleeds = rng.happens(25);
        let log = vec![format!("partial delta {is_partial}, bleeds {bleeds}, {} people", company.rows.len())];
        let mut month =
            Self { seed, rng, trial: setup.await, company, people, bleeds, blocked: Vec::new(), backup: None, log };
        let night = month.trial.first_night().await;
        month.check(month.trial.live().len() == month.people.len(), &format!("the first night: {night:?}"));
        month
    }

    pub(crate) async fn play(mut self) {
        for day in 0..DAYS {
            self.day(day).await;
        }
        self.settle().await;
    }

    #[track_caller]
    fn check(&self, holds: bool, otherwise: &str) {
        assert!(holds, "seed {}:\n{}\n{otherwise}", self.seed, self.log.join("\n"));
    }

    fn say(&mut self, what: String) {
        self.log.push(what);
    }

    async fn day(&mut self, day: usize) {
        let is_damaged = self.rng.happens(25);
        if is_damaged {
            return self.damaged(day).await;
        }
        if self.bleeds {
            for _ in 0..(self.listed().len() * 4).div_ceil(100) {
                self.leave(day);
            }
        } else {
            for _ in 0..self.rng.below(3) {
                self.change(day);
            }
        }
        self.meddle(day);
        if self.rng.happens(8) {
            match self.backup.take() {
                None => self.backup = Some(self.trial.world.backup().await),
                Some(backup) => {
                    self.say(format!("day {day}: the table is restored"));
                    self.trial.world.restore(&backup).await;
                }
            }
        }
        self.trial.write(self.listing());
        self.night(day, Looks::LikeJoining).await;
    }

    /// A night with a damaged listing; nothing else happens on such a day.
    async fn damaged(&mut self, day: usize) {
        self.company.rows = self.listed().iter().map(|person| person.row.clone()).collect();
        // Strangers of the same domain look like joiners, and would be colleagues from then on.
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| *kind != Kind::FewStrangers).collect();
        let kind = kinds[self.rng.below(kinds.len())];
        let Some(damaged) = damage(&self.company, kind, &mut self.rng) else { return };
        self.say(format!("day {day}: {kind:?}, looks {:?}", damaged.looks));
        self.trial.write(damaged.bytes);
        self.night(day, damaged.looks).await;
    }

    /// `sync --yes`, and what must hold whatever was read.
    async fn night(&mut self, day: usize, looks: Looks) {
        let before = self.trial.live();
        let night = self.trial.sleep().await;
        let after = self.trial.live();
        self.say(format!("day {day}: ended {}, {:?}", night.exit, night.calls()));
        let twice = invariants::twice(&after);
        self.check(twice.is_empty(), &format!("{twice:#?}"));
        self.nobody_is_harmed(looks, &before, &after, &night);
        self.few_are_blocked(day, &before, &after);
        let has_stranger = |account: &Seen| account.upn().ends_with(STRANGERS);
        self.check(!after.iter().any(has_stranger), "a stranger has an account");
    }

    /// A person who is in the company keeps sign-in, name and number, unless the listing looks as if they had left.
    fn nobody_is_harmed(&self, looks: Looks, before: &[Seen], after: &[Seen], night: &Night) {
        for was in before {
            let now = after.iter().find(|account| account.id() == was.id());
            let person = self.owner(was);
            let is_blocked = was.enabled() && now.is_none_or(|now| !now.enabled());
            let leaves = matches!(looks, Looks::LikeLeaving | Looks::LikeLeavingAndChanging);
            if is_blocked && !leaves {
                let is_listed = person.is_some_and(|person| person.listed);
                self.check(!is_listed, &format!("{} works here and was blocked: {night:#?}", was.upn()));
            }
            let Some(now) = now else { continue };
            if was.privileged() {
                let same = was.enabled() == now.enabled() && was.upn() == now.upn();
                self.check(same && was.immutable_id() == now.immutable_id(), "sensitive, and the account holds a role");
            }
            if looks == Looks::Damaged {
                for property in WRITTEN.iter().filter(|property| was.text(property) != now.text(property)) {
                    let is_true = person.is_some_and(|person| person.row.iter().any(|cell| cell == now.text(property)));
                    self.check(is_true, &format!("{property} of {} is {:?}", was.upn(), now.text(property)));
                }
            }
        }
    }

    /// Without an approval few lose their sign-in in a day, and four times as many in a month.
    fn few_are_blocked(&mut self, day: usize, before: &[Seen], after: &[Seen]) {
        let is_enabled = |id: &str| after.iter().any(|now| now.id() == id && now.enabled());
        let blocked: Vec<String> =
            before.iter().filter(|was| was.enabled() && !is_enabled(was.id())).map(|was| was.id().to_owned()).collect();
        let working = before.iter().filter(|account| account.enabled()).count();
        let limit = (working / 5).min(3).max(working * 5 / 100);
        self.check(blocked.len() <= limit, &format!("{} blocked of {working}", blocked.len()));
        self.blocked.extend(blocked.into_iter().map(|id| (day, id)));
        let once: BTreeSet<&str> = self.blocked.iter().map(|(_, id)| id.as_str()).collect();
        self.check(once.len() <= 4 * 3, &format!("{} people lost their sign-in in a month", once.len()));
    }

    /// The people who are there.
    fn listed(&self) -> Vec<&Person> {
        self.people.iter().filter(|person| person.listed).collect()
    }

    fn listing(&self) -> String {
        let rows: Vec<Vec<String>> = self.listed().iter().map(|person| person.row.clone()).collect();
        self.company.listing(&rows)
    }

    /// Whose account it is, by its immutable ID.
    fn owner(&self, account: &Seen) -> Option<&Person> {
        let id = account.immutable_id()?;
        // Who has another key since comes last.
        self.people.iter().find(|person| person.anchors.iter().any(|anchor| immutable_id(anchor) == id))
    }

    fn pick(&mut self, listed: bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.people.len()).filter(|at| self.people[*at].listed == listed).collect();
        self.rng.pick(&found).copied()
    }

    fn leave(&mut self, day: usize) {
        if self.listed().len() > 10
            && let Some(at) = self.pick(true)
        {
            self.people[at].listed = false;
            self.say(format!("day {day}: {} leaves", self.people[at].row[1]));
        }
    }

    /// A newcomer with values of their own.
    fn join(&mut self) -> usize {
        let number = self.people.len();
        let mut row = self.people[0].row.clone();
        let values = [
            ("objectGUID", guid(0x000a_0000 + number)),
            ("userPrincipalName", format!("n{number:03}@contoso.example")),
            ("displayName", format!("Nino Neu {number}")),
            ("givenName", "Nino".to_owned()),
            ("sn", "Neu".to_owned()),
            ("mail", format!("n{number:03}@contoso.example")),
            ("employeeID", format!("{}", 9200 + number)),
        ];
        for (column, value) in values {
            row[self.company.column(column)] = value;
        }
        self.people.push(Person::new(row));
        number
    }

    fn change(&mut self, day: usize) {
        let what = self.rng.below(9);
        let column = |month: &Self, name: &str| month.company.column(name);
        let Some(at) = self.pick(true) else { return };
        match what {
            0 => return self.leave(day),
            1 => drop(self.join()),
            2 => {
                let Some(gone) = self.pick(false) else { return };
                // Nobody returns to a name that somebody else has by now.
                let upn = self.people[gone].row[1].clone();
                if self.listed().iter().any(|person| person.row[1] == upn) {
                    return;
                }
                self.people[gone].listed = true;
                return self.say(format!("day {day}: {upn} returns"));
            }
            3 => {
                let name = format!("Neumann{day}");
                let sn = column(self, "sn");
                self.people[at].row[sn].clone_from(&name);
                let display = column(self, "displayName");
                self.people[at].row[display] = format!("Neo {name}");
            }
            4 => {
                let department = column(self, "department");
                self.people[at].row[department] = format!("Department {day}");
            }
            5 => {
                // Another key for the same person.
                let key = guid(0x000b_0000 + day * 100 + at);
                self.people[at].anchors.push(key.clone());
                self.people[at].row[0] = key;
            }
            6 => {
                // A namesake of somebody who leaves.
                let new = self.join();
                for name in ["displayName", "givenName", "sn"] {
                    let column = column(self, name);
                    let value = self.people[at].row[column].clone();
                    self.people[new].row[column] = value;
                }
                if self.listed().len() > 11 {
                    self.people[at].listed = false;
                }
            }
            7 => {
                // The sign-in name of somebody who is gone.
                let Some(gone) = self.pick(false) else { return };
                let upn = self.people[gone].row[1].clone();
                if self.listed().iter().any(|person| person.row[1] == upn) {
                    return;
                }
                let new = self.join();
                let mail = column(self, "mail");
                self.people[new].row[1].clone_from(&upn);
                self.people[new].row[mail] = upn;
            }
            _ => {
                let upn = format!("moved{day}.{at}@contoso.example");
                let mail = column(self, "mail");
                self.people[at].row[1].clone_from(&upn);
                self.people[at].row[mail] = upn;
            }
        }
        let upn = self.people[at].row[1].clone();
        self.say(format!("day {day}: change {what} of {upn}"));
    }

    /// Administrators at work.
    fn meddle(&mut self, day: usize) {
        let accounts = self.trial.live();
        let Some(account) = self.rng.pick(&accounts).cloned() else { return };
        let tenant = &self.trial.world.tenant;
        let what = self.rng.below(6);
        let done = match what {
            0 => tenant.grant_role(account.id(), "User Administrator"),
            1 if account.privileged() => tenant.revoke_role(account.id(), "User Administrator"),
            2 => tenant.set_user(account.id(), json!({ "faxNumber": format!("+49 30 {day}") })),
            3 if account.privileged() => Ok(()),
            _ => return,
        };
        self.check(done.is_ok(), "an administrator's work");
        self.say(format!("day {day}: administrator {what} at {}", account.upn()));
    }

    /// The damage ends, roles are taken away, and an operator applies every plan.
    async fn settle(mut self) {
        for account in self.trial.live().iter().filter(|account| account.privileged()) {
            let done = self.trial.world.tenant.revoke_role(account.id(), "User Administrator");
            self.check(done.is_ok(), "a role is taken away");
        }
        self.trial.write(self.listing());
        let mut last = None;
        for _ in 0..SETTLING {
            self.trial.world.pass_days(1);
            let night = self.trial.first_night().await;
            self.say(format!("settling: ended {}, {:?}", night.exit, night.calls()));
            let twice = invariants::twice(&self.trial.live());
            self.check(twice.is_empty(), &format!("{twice:#?}"));
            last = Some(night);
        }
        let Some(last) = last else { return };
        // What the tenant refuses is tried again every time somebody asks for it.
        let is_at_rest = last.writes().iter().all(|write| !(200..300).contains(&write.status));
        self.check(is_at_rest, &format!("it does not come to rest: {:#?}", last.calls()));
        let whole = self.trial.world.plan_everybody().await;
        let accounts = self.trial.live();
        let of = |person: &Person| -> Vec<&Seen> {
            let is_theirs = |account: &&Seen| {
                person.anchors.iter().any(|anchor| account.immutable_id() == Some(immutable_id(anchor).as_str()))
            };
            accounts.iter().filter(is_theirs).collect()
        };
        for person in self.listed() {
            let row = whole.rows.iter().find(|row| row.decision.key.as_str() == person.row[0]);
            if row.is_some_and(|row| !row.decision.is_converged()) {
                // Somebody has to look, and is told.
                continue;
            }
            let has = |property: &str, column: &str, account: &Seen| {
                account.text(property) == person.row[self.company.column(column)]
            };
            let mine = of(person);
            let is_right = mine.iter().any(|account| {
                account.enabled()
                    && has("userPrincipalName", "userPrincipalName", account)
                    && has("displayName", "displayName", account)
                    && has("surname", "sn", account)
                    && has("department", "department", account)
            });
            self.check(is_right, &format!("{} has {mine:?}, {row:?}", person.row[1]));
        }
        for person in self.people.iter().filter(|person| !person.listed) {
            let row = whole.rows.iter().find(|row| row.decision.key.as_str() == person.row[0]);
            let is_held = row.is_some_and(|row| !row.decision.is_converged());
            let works = of(person).iter().any(|account| account.enabled());
            self.check(is_held || !works, &format!("{} left and still signs in: {row:?}", person.row[1]));
        }
    }
}

impl Person {
    fn new(row: Vec<String>) -> Self {
        Self { anchors: vec![row[0].clone()], row, listed: true }
    }
}
