//! Initial passwords: made for a creation, handed over once when the account is known to be there, and forgotten.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::Step;
use hardmatch_ports::credentials::CredentialError;
use passwords::PasswordGenerator;
use secrecy::SecretString;

use super::verdict::Verdict;
use crate::WritePorts;
use crate::task::{Next, OtherLane, Sent, Task};

/// Gives a creation that may be sent next the password that goes with it.
pub(crate) fn provide(task: &mut Task) {
    if matches!(task.step(), Some(Step::Create { .. })) {
        task.password.get_or_insert_with(new_password);
    }
}

/// Hands the password of an account that was made over to the operator's sink, also when the answer that said so was lost.
/// An account that an earlier process may have made has a password that nobody knows: the task remembers that, and so it
/// does when the sink fails, for the account is there all the same.
pub(crate) async fn hand_over(
    ports: &WritePorts,
    task: &mut Task,
    asked: Next,
    verdict: &Verdict,
) -> Result<(), CredentialError> {
    let Some(Step::Create { attributes, .. }) = task.step() else { return Ok(()) };
    if !matches!(verdict, Verdict::Done(_)) || asked == Next::SendManager {
        return Ok(());
    }
    let upn = attributes.filled(Attr::UserPrincipalName).map(str::to_owned);
    let password = task.password.take();
    let ours = match (asked, task.sent) {
        (Next::Send, _) | (_, Sent::ByUs) => password,
        // The other lane made the account and handed its password over, or the account was there before.
        (_, Sent::Answered) => return Ok(()),
        (_, Sent::ByOthersToo) => None,
    };
    let Some((password, upn)) = ours.zip(upn) else {
        task.open.password_unknown = ports.passwords.is_kept() && task.other_lane == OtherLane::Free;
        return Ok(());
    };
    let delivered = ports.passwords.deliver(&upn, &password).await;
    task.open.password_unknown |= delivered.is_err();
    delivered
}

/// An initial password that meets the tenant's rules: 24 characters of all four classes.
/// <https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy>
fn new_password() -> SecretString {
    let generator = PasswordGenerator {
        length: 24,
        numbers: true,
        lowercase_letters: true,
        uppercase_letters: true,
        symbols: true,
        spaces: false,
        exclude_similar_characters: true,
        strict: true,
    };
    // The generator fails only for a length of zero.
    generator.generate_one().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn j24_ten_thousand_passwords_fit_the_rules() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            let password = new_password();
            let text = password.expose_secret();
            assert_eq!(text.chars().count(), 24);
            assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_control()));
            let classes: [fn(&char) -> bool; 4] =
                [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit, char::is_ascii_punctuation];
            assert!(classes.iter().all(|class| text.chars().any(|c| class(&c))), "a class is missing");
            assert!(seen.insert(text.to_owned()), "a password came twice");
        }
    }
}
