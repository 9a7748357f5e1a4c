//! What an error of the SDK means: ask again, perhaps it was done, or never; and the sentence for the operator. Bodies
//! of requests and answers never get into it.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// What may be expected of asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It was not done, and will be when asked again later.
    Later,
    /// There was no answer, or none that says: perhaps it was done.
    Lost,
    /// It was not done, and asking again does not help.
    Never,
}

/// Answers that say "too fast" or "not at this moment"; nothing was done.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
const LATER: [&str; 8] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "LimitExceededException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Credentials that are wrong, over, or not there.
const CREDENTIALS: [&str; 7] = [
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException",
];

/// What the error means.
pub(crate) fn meaning<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Meaning {
    match error {
        // Never sent: no region, no credentials.
        SdkError::ConstructionFailure(_) => Meaning::Never,
        SdkError::DispatchFailure(failure)
            if failure.is_user() || (failure.is_other() && failure.as_other().is_none()) =>
        {
            Meaning::Never
        }
        SdkError::ServiceError(answer) => match error.code() {
            Some(code) if LATER.contains(&code) => Meaning::Later,
            _ if answer.raw().status().as_u16() >= 500 => Meaning::Lost,
            _ => Meaning::Never,
        },
        // Timed out, broken off, or not understood; and ways to fail that the SDK may learn yet. None says what was done.
        _ => Meaning::Lost,
    }
}

/// Whether AWS refuses this role the action.
pub(crate) fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(
        error.code(),
        Some("AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "AuthorizationErrorException")
    )
}

/// The sentence: what was asked for (an IAM action on a name), what came of it, and the cure where we know one.
pub(crate) fn sentence<E>(action: &str, on: &str, error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(code) = error.code() else {
        let causes = causes(error);
        return match meaning(error) {
            Meaning::Never => format!(
                "{action} on {on} could not be sent: {causes}. Check region and credentials: aws sts get-caller-identity"
            ),
            Meaning::Later | Meaning::Lost => format!("{action} on {on} had no answer: {causes}"),
        };
    };
    if is_denied(error) {
        return format!(
            "AWS refuses {action} on {on}: {code}. Allow {action} on it in the policy of this role, and in the key's or \
             bucket's own policy if there is one"
        );
    }
    if CREDENTIALS.contains(&code) {
        return format!("AWS does not accept the credentials for {action}: {code}. Sign in again, or check the role");
    }
    let cure = match code {
        "ResourceNotFoundException"
        | "NoSuchBucket"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => ". Check the name, the account and the region",
        _ => "",
    };
    // AWS's messages name resources and limits. They are cut short all the same: some quote what was sent.
    let message: String = error.message().unwrap_or_default().chars().take(200).collect();
    format!("{action} on {on} failed: {code}: {message}{cure}")
}

/// The chain of causes. Errors below the service's own know about connections and time-outs, not about bodies.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;

    use super::*;

    #[test]
    fn silence_may_mean_that_it_was_done_and_what_was_never_sent_was_not() {
        let timed_out: SdkError<PutItemError, HttpResponse> = SdkError::timeout_error("too long");
        assert_eq!(meaning(&timed_out), Meaning::Lost);
        let text = sentence("dynamodb:PutItem", "work", &timed_out);
        assert!(text.starts_with("dynamodb:PutItem on work had no answer: ") && text.ends_with("too long"), "{text}");
        let never_sent: SdkError<PutItemError, HttpResponse> = SdkError::construction_failure("no region");
        assert_eq!(meaning(&never_sent), Meaning::Never);
    }
}
