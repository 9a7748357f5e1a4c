//! Listings end: a link that leads back to a page of its own listing, however it is spelled, and a listing of more pages
//! than any tenant has, are errors.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use percent_encoding::percent_decode_str;

/// Pages of one listing. A tenant of two million objects has that many pages of a hundred.
const MOST_PAGES: u32 = 20_000;
/// Pages in a row that hold nothing. Delta pages may be empty, one now and then.
/// <https://learn.microsoft.com/graph/delta-query-overview>
const MOST_EMPTY_PAGES: u32 = 250;
/// Links that are remembered, of all listings together.
const MOST_LINKS: usize = 100_000;

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endless {
    /// It leads back to a page that this listing has shown.
    GoesRound,
    /// So many pages were shown, or so many without anything on them.
    TooManyPages,
}

/// The links of the listings that are being read.
#[derive(Default)]
pub(crate) struct Pages(Mutex<State>);

#[derive(Default)]
struct State {
    places: HashMap<u64, Place>,
    listings: u64,
}

/// Where in which listing a page stands.
#[derive(Clone, Copy)]
struct Place {
    listing: u64,
    number: u32,
    empty: u32,
}

impl Pages {
    /// The page `from` was read; it has so many objects and names the `next`. Whether that may be followed.
    pub(crate) fn check(&self, from: &str, objects: usize, next: Option<&str>) -> Result<(), Endless> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = fingerprint(from);
        let known = state.places.get(&from).copied();
        let Some(next) = next.map(fingerprint) else {
            if let Some(known) = known {
                state.forget(known.listing);
            }
            return Ok(());
        };
        let place = match known {
            Some(place) if place.number > 0 => place,
            // A first page begins anew, also where an earlier reading of the listing was given up.
            Some(_) | None => {
                if let Some(old) = known {
                    state.forget(old.listing);
                }
                state.begin(from)
            }
        };
        if from == next
            || state.places.get(&next).is_some_and(|at| at.listing == place.listing && at.number <= place.number)
        {
            state.forget(place.listing);
            return Err(Endless::GoesRound);
        }
        let empty = if objects == 0 { place.empty + 1 } else { 0 };
        if place.number >= MOST_PAGES || empty >= MOST_EMPTY_PAGES {
            state.forget(place.listing);
            return Err(Endless::TooManyPages);
        }
        state.places.insert(next, Place { number: place.number + 1, empty, ..place });
        Ok(())
    }
}

impl State {
    fn begin(&mut self, from: u64) -> Place {
        if self.places.len() > MOST_LINKS {
            self.places.clear();
        }
        self.listings += 1;
        let place = Place { listing: self.listings, number: 0, empty: 0 };
        self.places.insert(from, place);
        place
    }

    fn forget(&mut self, listing: u64) {
        self.places.retain(|_, place| place.listing != listing);
    }
}

/// The same for every spelling of a link: percent-encoding, the order of parameters, empty ones, doubled slashes, letter
/// case of the path, and a fragment say nothing. The values of parameters keep their letter case: page tokens differ in it.
fn fingerprint(link: &str) -> u64 {
    let link = link.split('#').next().unwrap_or_default();
    let link = link.split_once("://").map_or(link, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut hasher = DefaultHasher::new();
    for segment in path.split('/').map(plain).filter(|segment| !matches!(segment.as_str(), "" | ".")) {
        segment.to_lowercase().hash(&mut hasher);
    }
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (plain(name).to_lowercase(), plain(value)))
        .collect();
    parameters.sort_unstable();
    parameters.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "https://graph.microsoft.com/v1.0/users?$top=999&$skiptoken=aB%2B";

    #[test]
    fn spelling_is_no_difference_and_a_page_token_is() {
        for same in [
            "https://graph.microsoft.com/v1.0/users?%24top=999&%24skiptoken=aB%2b",
            "https://graph.microsoft.com/v1.0/users?$skiptoken=aB%2B&$top=999",
            "https://GRAPH.microsoft.com:443/V1.0//users?$top=999&&$skiptoken=aB%2B#page",
            "/v1.0/users?$top=999&$skiptoken=aB%2B",
        ] {
            assert_eq!(fingerprint(FIRST), fingerprint(same), "{same}");
            assert_eq!(Pages::default().check(FIRST, 1, Some(same)), Err(Endless::GoesRound), "{same}");
        }
        let other = "https://graph.microsoft.com/v1.0/users?$top=999&$skiptoken=Ab%2B";
        assert_ne!(fingerprint(FIRST), fingerprint(other));
        assert_eq!(Pages::default().check(FIRST, 1, Some(other)), Ok(()));
    }

    #[test]
    fn a_listing_that_comes_back_to_an_earlier_page_goes_round() {
        let pages = Pages::default();
        assert_eq!(pages.check("/a", 1, Some("/b")), Ok(()));
        assert_eq!(pages.check("/b", 1, Some("/c")), Ok(()));
        assert_eq!(pages.check("/b", 1, Some("/c")), Ok(()), "a page that is read once more");
        assert_eq!(pages.check("/c", 1, Some("/b")), Err(Endless::GoesRound));
    }

    #[test]
    fn a_listing_that_is_read_again_does_not_go_round() {
        let pages = Pages::default();
        for _ in 0..3 {
            assert_eq!(pages.check("/a", 1, Some("/b")), Ok(()));
            assert_eq!(pages.check("/b", 1, Some("/c")), Ok(()));
        }
        assert_eq!(pages.check("/c", 1, None), Ok(()));
        assert!(pages.0.lock().unwrap().places.is_empty(), "a listing at its end is forgotten");
    }

    #[test]
    fn fresh_links_without_end_and_empty_pages_without_end_are_too_many() {
        for (objects, most) in [(1, MOST_PAGES), (0, MOST_EMPTY_PAGES)] {
            let pages = Pages::default();
            let page = |n: u32| format!("/users?$skiptoken={n}");
            let followed =
                (0..u32::MAX).take_while(|&n| pages.check(&page(n), objects, Some(&page(n + 1))).is_ok()).count();
            assert!(followed.abs_diff(most as usize) <= 1, "{followed}");
        }
    }
}
