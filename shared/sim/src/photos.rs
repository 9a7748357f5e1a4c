//! Photos (<https://learn.microsoft.com/graph/api/profilephoto-get>,
//! <https://learn.microsoft.com/graph/api/profilephoto-update>). They live with the mailbox, not in the directory:
//! delta says nothing of them.

use crate::answer::{Answer, Outcome, Refusal};
use crate::options;
use crate::schema::Kind;
use crate::serve::Ask;
use crate::state::State;

/// The largest photo.
const MAX_BYTES: usize = 4 << 20;

impl State {
    pub(crate) fn get_photo(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let horizon = self.read_horizon();
        let (_, user) = self.seen(Kind::User, ask.key, horizon)?;
        let (kind, bytes) = self.photos.get(&user.id).ok_or_else(|| {
            Refusal::new(
                404,
                "ImageNotFound",
                "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.",
            )
        })?;
        Ok(Answer::bytes(200, bytes.clone()).with("content-type", kind.clone()))
    }

    pub(crate) fn set_photo(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let (_, user) = self.target(Kind::User, ask.key)?;
        let kind = ask.call.header("content-type").unwrap_or_default().to_owned();
        if kind != "image/jpeg" {
            return Err(Refusal::bad("Invalid content type: the photo must be sent as image/jpeg.")
                .violating("a photo that is not image/jpeg"));
        }
        let jpeg = ask.call.body.starts_with(&[0xff, 0xd8, 0xff]);
        if !jpeg || ask.call.body.len() > MAX_BYTES {
            return Err(Refusal::new(400, "ErrorInvalidImage", "The image is not valid or larger than 4 MB."));
        }
        if !user.has_mailbox() && self.options.photo_without_mailbox == options::Reaction::Refuse {
            // https://developer.microsoft.com/graph/known-issues
            return Err(Refusal::new(
                404,
                "ErrorNonExistentMailbox",
                "The SMTP address has no mailbox associated with it.",
            ));
        }
        self.photos.insert(user.id, (kind, ask.call.body.clone()));
        Ok(Answer::empty(200))
    }
}
