//! How much of an answer is read. A body is counted after decompression: two megabytes of gzip can hold two gigabytes.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// Bytes of an answer of Graph. A page of 999 users with every attribute and thirty addresses each is below five megabytes.
pub(crate) const GRAPH_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a refusal, and of an answer of the login service: both are some kilobytes.
pub(crate) const SMALL_BYTES: usize = 1024 * 1024;
/// Values in an answer: a page of 999 users has some sixty thousand. Each takes many times its JSON in memory.
const MOST_VALUES: usize = 500_000;
/// Objects on a page: Graph gives 999 at most. <https://learn.microsoft.com/graph/paging>
const MOST_OBJECTS: usize = 5_000;

/// A body, as far as it was read.
pub(crate) enum Body {
    Whole(Bytes),
    /// It holds more than any answer does; the rest was not read.
    TooLarge,
}

/// Reads a body up to `most` bytes after decompression.
pub(crate) async fn read(mut answer: Response, most: usize) -> Result<Body, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(Body::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let values = body.len() > MOST_VALUES && body[..].split(|byte| *byte == b',').nth(MOST_VALUES).is_some();
    Ok(if values { Body::TooLarge } else { Body::Whole(body.freeze()) })
}

/// The objects of a page, up to a bound: more are an error, not memory.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Bounded<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MOST_OBJECTS} objects")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut objects = Vec::new();
            while let Some(object) = list.next_element()? {
                if objects.len() == MOST_OBJECTS {
                    return Err(serde::de::Error::invalid_length(MOST_OBJECTS + 1, &self));
                }
                objects.push(object);
            }
            Ok(objects)
        }
    }
    deserializer.deserialize_seq(Bounded(std::marker::PhantomData))
}
