//! What holds for all files.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::{Guid, ImmutableId};
use hardmatch_sources_files::{Format, detect};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{read, read_as};

const FORMATS: [Format; 3] = [Format::Csv, Format::JsonLines, Format::Ldif];

/// Runs a law over seeded cases.
fn law<S: Strategy>(cases: u32, values: &S, holds: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(values, holds).unwrap();
}

/// Bytes that look a little like a file.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"objectGUID,mail,manager\n".to_vec()),
        Just(b"dn: CN=a\nuid: a\n".to_vec()),
        Just(b"{\"id\":\"1\",\"mail\":[\"a@x\"]}\n".to_vec()),
        Just(b"version: 1\n".to_vec()),
        Just(b"objectGUID:: Z0UjAauJ780BI0VniavN7w==\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"\n \n".to_vec()),
        Just(b",;\t:<".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_bytes_make_it_panic_and_no_refusal_lacks_a_cure() {
    law(400, &noise(), |bytes| {
        let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
        for format in FORMATS {
            match read_as(format, &bytes, |shape| shape.mapping.extra = vec!["mail".into()]) {
                Ok(given) => {
                    for refused in given.refused() {
                        // UTF-16 can hold line breaks in other bytes.
                        prop_assert!(refused.line >= 1 && refused.line <= lines.max(bytes.len() as u64));
                        prop_assert!(!refused.problem.is_empty() && !refused.cure.is_empty());
                        prop_assert!(refused.key.is_some() || refused.fault.is_some());
                        prop_assert!(refused.fault.is_none() || !given.completeness.absence.is_empty());
                        prop_assert!(
                            refused.fault.is_none()
                                || refused.key.is_none()
                                || !refused.disabled
                                || refused.problem.contains("same key")
                        );
                    }
                    prop_assert_eq!(given.completeness.entries, given.entries.len() as u64);
                }
                Err(error) => prop_assert!(!error.cure.is_empty()),
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let _ = detect(file.path());
        Ok(())
    });
}

/// GUID bytes, name, groups, street.
type Somebody = ([u8; 16], String, Vec<String>, String);

fn somebody() -> impl Strategy<Value = Somebody> {
    (
        any::<[u8; 16]>(),
        "[a-zA-Zé,;:#\"'\\\\]{1,12}( [a-zß\u{4e00}-\u{4e20}]{1,80})?",
        prop::collection::vec("[A-Za-z ]{1,10}[A-Za-z]", 0..4),
        "[a-z]{1,5}(\r\n[a-z]{1,5})?",
    )
        .prop_map(|(guid, name, groups, street)| {
            (guid, name.trim().to_owned(), groups.iter().map(|group| group.trim().to_owned()).collect(), street)
        })
}

/// As RFC 2849 wants it: base64 unless the value is safe, folded at 76 bytes.
fn ldif_line(file: &mut String, name: &str, value: &[u8]) {
    let unsafe_start = matches!(value.first(), None | Some(b' ' | b':' | b'<'));
    let safe = !unsafe_start && value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) && value.last() != Some(&b' ');
    let line = match std::str::from_utf8(value) {
        Ok(text) if safe => format!("{name}: {text}"),
        _ => format!("{name}:: {}", STANDARD.encode(value)),
    };
    for (at, part) in line.as_bytes().chunks(76).enumerate() {
        let fold = if at == 0 { "" } else { " " };
        writeln!(file, "{fold}{}", std::str::from_utf8(part).unwrap()).unwrap();
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn write(format: Format, people: &[Somebody]) -> String {
    let mut file = String::new();
    if format == Format::Csv {
        file.push_str("objectGUID,displayName,memberOf,streetAddress\r\n");
    }
    for (guid, name, groups, street) in people {
        let id = STANDARD.encode(guid);
        match format {
            Format::Csv => {
                write!(file, "{id},{},{},{}\r\n", quoted(name), quoted(&groups.join(";")), quoted(street)).unwrap();
            }
            Format::JsonLines => {
                let json = serde_json::json!({
                    "objectGUID": id, "displayName": name, "memberOf": groups, "streetAddress": street
                });
                writeln!(file, "{json}").unwrap();
            }
            Format::Ldif => {
                ldif_line(&mut file, "dn", format!("CN={id}").as_bytes());
                ldif_line(&mut file, "objectGUID", guid);
                ldif_line(&mut file, "displayName", name.as_bytes());
                for group in groups {
                    ldif_line(&mut file, "memberOf", group.as_bytes());
                }
                ldif_line(&mut file, "streetAddress", street.as_bytes());
                file.push('\n');
            }
        }
    }
    file
}

#[test]
fn what_is_written_comes_back_from_every_format() {
    law(150, &prop::collection::vec(somebody(), 1..6), |people| {
        let mut seen = HashSet::new();
        let people: Vec<Somebody> = people.into_iter().filter(|person| seen.insert(person.0)).collect();
        for format in FORMATS {
            let given = read(format, write(format, &people)).unwrap();
            prop_assert_eq!(given.refused().len(), 0, "{:?}", given.refused());
            prop_assert_eq!(given.people().len(), people.len());
            for (person, (guid, name, groups, street)) in given.people().iter().zip(&people) {
                let guid = Guid::from_ad_bytes(*guid);
                prop_assert_eq!(person.key.as_str(), &guid.to_string());
                prop_assert_eq!(person.immutable_id(), Some(&ImmutableId::from_guid(&guid)));
                prop_assert_eq!(person.attributes.get(Attr::DisplayName), Some(name.as_str()));
                prop_assert_eq!(person.attributes.get(Attr::StreetAddress), Some(street.as_str()));
                prop_assert_eq!(person.groups.iter().collect::<Vec<_>>(), groups.iter().collect::<Vec<_>>());
            }
        }
        Ok(())
    });
}

#[test]
fn cells_are_what_another_reader_reads() {
    let cell = "[a-z ,;\"\r\n\té]{0,8}";
    law(300, &prop::collection::vec(prop::collection::vec(cell, 2), 1..8), |rows| {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["id", "x", "y"]).unwrap();
        for (number, row) in rows.iter().enumerate() {
            writer.write_record([&number.to_string(), &row[0], &row[1]]).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let given = read_as(Format::Csv, file, |shape| {
            shape.delimiter = Some(',');
            shape.mapping.extra = vec!["x".into(), "y".into()];
        })
        .unwrap();
        prop_assert_eq!(given.people().len(), rows.len(), "{:?}", given.refused());
        for (person, row) in given.people().iter().zip(&rows) {
            prop_assert_eq!(person.extra.get("x"), Some(row[0].trim()));
            prop_assert_eq!(person.extra.get("y"), Some(row[1].trim()));
        }
        Ok(())
    });
}
