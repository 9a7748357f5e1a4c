//! When the application's proof ends, and what to say about it. The identity platform warns nobody.

use hardmatch_policy::{ClientProof, Config, Method};
use hardmatch_ports::credentials::Credential;
use hardmatch_ports::tenant_request::{SOON_DAYS, days_left};
use jiff::Timestamp;

/// What the application proves itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A secret that both sides know.
    Secret,
    /// A certificate whose key is ours.
    Certificate,
    /// Nothing that ends: another provider's word, or an administrator alone.
    Endless,
}

impl Thing {
    /// What a configuration names.
    pub fn of(config: &Config) -> Self {
        match config.tenant.auth.as_ref().map(|auth| &auth.method) {
            Some(Method::Secret(_) | Method::Delegated { client: ClientProof::Secret(_), .. }) => Self::Secret,
            Some(Method::Certificate(_) | Method::Delegated { client: ClientProof::Certificate(_), .. }) => {
                Self::Certificate
            }
            Some(Method::Federated { .. } | Method::Delegated { client: ClientProof::Public, .. }) | None => {
                Self::Endless
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Secret => "client secret",
            Self::Certificate => "certificate",
            Self::Endless => "credential",
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Secret => {
                "Make a new one under App registrations, Certificates & secrets, put its value where tenant.auth looks for it, and note its day in secret_expires."
            }
            Self::Certificate => {
                "Make a new one with `hardmatch auth certificate`, upload it, and name its file in tenant.auth; both are good until the old one ends."
            }
            Self::Endless => "",
        }
    }
}

/// When a proof ends, as far as anybody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// What ends.
    pub thing: Thing,
    /// When, where that is known.
    pub ends: Option<Timestamp>,
    /// Whole days; negative once it has ended.
    pub days_left: Option<i64>,
}

/// Of a connection's credential, at a time.
pub async fn of(config: &Config, credential: &dyn Credential, now: Timestamp) -> Expiry {
    Expiry::new(Thing::of(config), credential.expires().await, now)
}

impl Expiry {
    /// Of a thing that ends then.
    pub fn new(thing: Thing, ends: Option<Timestamp>, now: Timestamp) -> Self {
        let days_left = ends.map(|ends| days_left(ends.as_second(), now.as_second()));
        Self { thing, ends, days_left }
    }

    /// What somebody must know: it ends soon, or has ended.
    pub fn warning(&self) -> Option<(String, &'static str)> {
        let (ends, days) = self.ends.zip(self.days_left).filter(|(_, days)| *days < SOON_DAYS)?;
        let (thing, day) = (self.thing.word(), day(ends));
        let finding = match days {
            ..0 => format!("The {thing} ended on {day}."),
            0 => format!("The {thing} ends within a day, on {day}."),
            1 => format!("The {thing} ends on {day}, in 1 day."),
            _ => format!("The {thing} ends on {day}, in {days} days."),
        };
        Some((finding, self.thing.cure()))
    }

    /// What is known, in a sentence.
    pub fn sentence(&self) -> String {
        match (self.thing, self.ends, self.days_left) {
            (Thing::Endless, ..) => "nothing of ours that could expire".to_owned(),
            (thing, Some(ends), Some(days)) if days >= 0 => {
                format!("the {} ends on {}, in {days} days", thing.word(), day(ends))
            }
            (thing, Some(ends), _) => format!("the {} ended on {}", thing.word(), day(ends)),
            (Thing::Secret, None, _) => {
                "unknown: Entra tells nobody when a client secret ends. Note its day as secret_expires in tenant.auth"
                    .to_owned()
            }
            (Thing::Certificate, None, _) => {
                "unknown: the certificate cannot be read; see `hardmatch doctor`".to_owned()
            }
        }
    }
}

/// A day, as it is written in reports.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn ends_in(days: i64) -> Expiry {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let ends = Timestamp::from_second(1_800_000_000 + days * DAY).unwrap();
        Expiry::new(Thing::Secret, Some(ends), now)
    }

    #[test]
    fn c13_c14_an_end_is_told_thirty_days_before() {
        let told = |days| ends_in(days).warning().map(|(finding, _)| finding);
        assert_eq!(told(30), None);
        assert_eq!(told(29).as_deref(), Some("The client secret ends on 2027-02-13, in 29 days."));
        assert_eq!(told(1).as_deref(), Some("The client secret ends on 2027-01-16, in 1 day."));
        assert_eq!(told(-1).as_deref(), Some("The client secret ended on 2027-01-14."));
        assert!(ends_in(3).warning().is_some_and(|(_, cure)| cure.contains("secret_expires")));
    }

    #[test]
    fn what_nobody_knows_is_said_to_be_unknown() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let unknown = Expiry::new(Thing::Secret, None, now);
        assert_eq!(unknown.warning(), None);
        assert!(unknown.sentence().starts_with("unknown: Entra tells nobody"), "{}", unknown.sentence());
        assert!(Expiry::new(Thing::Endless, None, now).sentence().contains("nothing"));
    }
}
