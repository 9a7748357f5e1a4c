//! What is read: entries, lists, columns, encodings, numbers, rows.

use hardmatch_tests::Trial;

#[tokio::test]
async fn a_plain_export_is_configured_by_init_and_rests() {
    let people = "objectGUID;userPrincipalName;displayName;department\n\
        287f0703-630b-5c17-bc7a-5a6dc3fcbcc3;ann@contoso.example;Ann Ash;Ops\n\
        32be85ea-530b-53b7-aa86-192904e65c9f;bob@contoso.example;Bob Ash;Ops\n";
    let mut trial = Trial::of("people.csv", people).await;
    let night = trial.first_night().await;
    assert_eq!((night.exit, night.told.len()), (0, 0), "{night:?}");
    assert_eq!(trial.upns(), ["ann@contoso.example", "bob@contoso.example"]);
    trial.quiet_night().await;
    trial.night_with(people.replace("Bob Ash;Ops", "Bob Ash;Sales")).await;
    assert_eq!(trial.account("bob@contoso.example").text("department"), "Sales");
    // A file without a column is understood by nobody, told, and nothing is written.
    let night = trial.night_with("x\n1\n").await;
    assert!(night.exit == 1 && night.writes().is_empty() && night.tells("column"), "{night:?}");
}
