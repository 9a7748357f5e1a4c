//! Files as operators write them.

use std::path::Path;

use hardmatch_policy::{Config, Problems};

fn load(text: &str) -> Result<Config, Problems> {
    Config::load(text, "hardmatch.toml", Path::new("/srv"))
}

const LAB: &str = include_str!("lab.toml");

#[test]
fn the_lab_file_loads() {
    let config = load(LAB).map_err(|e| e.to_string()).unwrap();
    assert_eq!(config.state_path, Path::new("/srv/lab.db"));
    println!("{:#?}", config.policy(1));
}
