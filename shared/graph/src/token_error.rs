//! What the token endpoint refuses with: the cause and the cure of each code, in one table.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use std::time::Duration;

use hardmatch_ports::tenant::{Retry, TenantError};
use serde::Deserialize;

/// Whether asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Never,
    /// The service's own trouble: backs off and asks again.
    Soon,
    /// Replication of a change somebody just made: minutes.
    AfterChange,
    /// The service saw too many equal requests.
    LongPause,
}

struct Known {
    codes: &'static [u32],
    again: Again,
    cause: &'static str,
    cure: &'static str,
}

const fn known(codes: &'static [u32], again: Again, cause: &'static str, cure: &'static str) -> Known {
    Known { codes, again, cause, cure }
}

#[rustfmt::skip]
const TABLE: &[Known] = &[
    known(&[700016, 700011], Again::AfterChange, "The application is not installed in this tenant.",
        "Check the client id and the tenant, and give admin consent; after a fresh consent wait a few minutes."),
    known(&[7000215], Again::Never, "The client secret is wrong.",
        "Put the secret's value, not its id, where the configuration looks for it."),
    known(&[7000222], Again::Never, "The client secret has expired.",
        "Create a new secret for the application and replace the old one."),
    known(&[7000218], Again::Never, "The request carried neither a secret nor an assertion.",
        "Set tenant.auth.method and its credential."),
    known(&[700025], Again::Never, "The application is registered as a public client.",
        "Register it as a confidential client (web platform) or add a credential to it."),
    known(&[700027, 50012, 50013, 50027, 700030, 50048], Again::Never, "The client assertion was not accepted.",
        "Check that the certificate with this key is registered on the application and that its subject is the client id."),
    known(&[700024], Again::Soon, "The client assertion is outside its validity window.",
        "Check the clock of the machine that signs."),
    known(&[70021, 700213, 700211, 700212], Again::AfterChange, "No federated credential of the application fits the presented token.",
        "Compare issuer, subject and audience with the token exactly, case included; after a change wait a few minutes."),
    known(&[700229], Again::Never, "A token of the wrong kind was presented as federated credential.",
        "Present a token of the external identity provider, not one that Entra issued."),
    known(&[700022, 700023, 70011], Again::Never, "The scope is not acceptable.",
        "Leave the scope at its default: the Graph root followed by /.default."),
    known(&[7000112, 70001], Again::Never, "The application is disabled in this tenant.",
        "An administrator enables the enterprise application again."),
    known(&[65001], Again::AfterChange, "Consent is missing.",
        "An administrator gives admin consent to the application; then wait a few minutes."),
    known(&[650056, 65005, 650057], Again::Never, "The application's registration lacks the permission or the resource.",
        "Add the Microsoft Graph application permissions to the registration and consent again."),
    known(&[650052], Again::Never, "The tenant has not subscribed to the service that was asked for.",
        "Check the Graph URL, and that the tenant has this service."),
    known(&[65004], Again::Never, "Consent was declined.", "Ask an administrator to consent again."),
    known(&[90094, 90095, 90093], Again::Never, "Only an administrator may consent.",
        "Let an administrator open the consent page."),
    known(&[500011], Again::Never, "The resource is not known in this tenant.",
        "Check the Graph URL and the cloud: a token of one cloud is useless in another."),
    known(&[90002], Again::Never, "The tenant was not found.", "Check tenant.id and tenant.cloud."),
    known(&[90038, 900382, 900432], Again::Never, "The tenant is in another national cloud.",
        "Set tenant.cloud to the cloud the tenant lives in, and register the application there."),
    known(&[50059, 90019, 50128, 9001023, 90124, 90130, 50194], Again::Never, "The request did not name a tenant this application can use.",
        "Set tenant.id to the directory id or to a verified domain."),
    known(&[50034, 51004, 90072], Again::Never, "The signed-in account is not in this directory; for federated sign-in the usual reason is an immutable ID that does not fit.",
        "Repair the match of the account, then sign in again."),
    known(&[90020], Again::Never, "The federated sign-in lacks the immutable ID claim.",
        "Add the claim at the identity provider."),
    known(&[50107], Again::Never, "The federation realm was not found.",
        "Check issuerUri of the domain's federation configuration."),
    known(&[50057], Again::Never, "The signed-in account is disabled.", "Sign in with an enabled account."),
    known(&[50173, 700082, 70008, 700084, 70000, 50089, 70043, 50132, 50133], Again::Never, "The sign-in is no longer valid.",
        "Sign in again."),
    known(&[54005], Again::Never, "The authorization code was used already.", "Start the sign-in again."),
    known(&[501481, 50147], Again::Never, "The proof key of the sign-in does not fit.", "Start the sign-in again."),
    known(&[53003, 53000, 530032, 530034, 50076, 50079, 50074], Again::Never, "A Conditional Access policy of the tenant blocks this sign-in.",
        "The tenant's administrator exempts the application from the policy, or meets it."),
    known(&[50196], Again::LongPause, "The service saw too many equal token requests and blocks for a while.",
        "Wait; make sure that no two installations use this application in a loop."),
    known(&[90055, 90024, 90006, 90033, 90090, 50033, 90012], Again::Soon, "The login service has a passing trouble.",
        "Nothing to do: it is tried again."),
];

/// Replication of consent and federated credentials takes minutes.
const AFTER_CHANGE: Duration = Duration::from_mins(1);
/// Long enough for the loop detection to forget us.
const LONG_PAUSE: Duration = Duration::from_mins(10);
/// First wait for a passing trouble.
pub(crate) const SOON: Duration = Duration::from_secs(2);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Option<Vec<u32>>,
    trace_id: Option<String>,
}

/// A refusal of the token endpoint as an error with its cure.
pub(crate) fn explain(status: u16, retry_after: Option<Duration>, body: &[u8]) -> TenantError {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let class = body.error.as_deref().unwrap_or_default();
    let number = body.error_codes.as_deref().and_then(|codes| codes.first().copied());
    let number = number.or_else(|| body.error_description.as_deref().and_then(number_in));
    let row = number.and_then(|number| TABLE.iter().find(|row| row.codes.contains(&number)));
    let again = match row {
        Some(row) => row.again,
        None if status >= 500 || status == 429 || class == "temporarily_unavailable" => Again::Soon,
        None => Again::Never,
    };
    let retry = match (again, retry_after) {
        (Again::Never, _) => Retry::Never,
        (_, Some(wait)) => Retry::After(wait),
        (Again::Soon, None) => Retry::After(SOON),
        (Again::AfterChange, None) => Retry::After(AFTER_CHANGE),
        (Again::LongPause, None) => Retry::After(LONG_PAUSE),
    };
    let code = match number {
        Some(number) => format!("AADSTS{number}"),
        None if class.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !class.is_empty() => class.to_owned(),
        None => format!("HTTP {status}"),
    };
    let message = match row {
        Some(row) => format!("No token: {} {} ({code})", row.cause, row.cure),
        None => format!(
            "No token: the login service refused ({code}). Look the code up at \
             https://login.microsoftonline.com/error and check tenant.id, tenant.cloud and tenant.auth."
        ),
    };
    TenantError { retry, status, code, message, request_id: body.trace_id.unwrap_or_default() }
}

/// The number in `AADSTS7000215: Invalid client secret provided. …`.
fn number_in(description: &str) -> Option<u32> {
    let digits = description.split_once("AADSTS")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn refuse(number: u32) -> TenantError {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{number}: secret text 'abc'. Trace ID: t","error_codes":[{number}],"trace_id":"t"}}"#
        );
        explain(401, None, body.as_bytes())
    }

    #[test]
    fn every_known_code_has_a_cause_and_a_cure_of_its_own() {
        let mut seen = BTreeSet::new();
        for row in TABLE {
            for &number in row.codes {
                assert!(seen.insert(number), "{number} is in two rows");
                let error = refuse(number);
                assert_eq!(error.code, format!("AADSTS{number}"));
                assert!(error.message.contains(row.cause) && error.message.contains(row.cure), "{number}");
                assert!(!error.message.contains("abc"), "{number}");
                assert_eq!(error.retry == Retry::Never, row.again == Again::Never, "{number}");
            }
        }
        // Every code of the public reference that an application or an operator can meet here.
        for number in [
            700016, 700011, 7000215, 7000222, 7000218, 700025, 700027, 700024, 50012, 50013, 50027, 70021, 700213,
            700229, 700022, 700023, 70011, 7000112, 70001, 65001, 650056, 65005, 650057, 650052, 65004, 90094, 90095,
            90093, 500011, 90002, 90038, 50059, 90019, 50128, 50034, 51004, 90072, 90020, 50107, 50057, 50173, 700082,
            70008, 700084, 70000, 54005, 501481, 50147, 53003, 53000, 530032, 530034, 50196, 90055, 90024, 90006,
            90033, 90090, 50033, 90012,
        ] {
            assert!(seen.contains(&number), "{number} is not explained");
        }
    }

    #[test]
    fn a_wrong_secret_names_the_usual_mistake() {
        let error = refuse(7000215);
        assert_eq!(error.retry, Retry::Never);
        assert!(error.message.contains("not its id"), "{}", error.message);
        assert_eq!(error.request_id, "t");
    }

    #[test]
    fn the_number_is_found_in_the_text_when_there_is_no_list() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000222: expired"}"#;
        assert_eq!(explain(401, None, body).code, "AADSTS7000222");
    }

    #[test]
    fn trouble_without_a_body_is_tried_again_and_a_stated_wait_is_kept() {
        assert_eq!(explain(503, None, b"").retry, Retry::After(SOON));
        let wait = Duration::from_secs(17);
        assert_eq!(explain(429, Some(wait), b"<html>").retry, Retry::After(wait));
        assert_eq!(explain(400, None, b"{\"error\":\"invalid_request\"}").retry, Retry::Never);
    }
}
