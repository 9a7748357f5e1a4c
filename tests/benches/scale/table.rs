//! The result: figures with what they should be.

/// Figures in the order they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a figure. `aim` is empty where there is none.
    pub(crate) fn row(&mut self, scenario: &str, what: &str, figure: impl Into<String>, aim: &str) {
        let row = [scenario.to_owned(), what.to_owned(), figure.into(), aim.to_owned()];
        note(&format!("  {what}: {}", row[2]));
        self.0.push(row);
    }

    /// Prints it as Markdown.
    #[expect(clippy::print_stdout, reason = "the benchmark's result")]
    pub(crate) fn print(&self) {
        println!("| Scenario | Measured | Figure | Aim |");
        println!("|---|---|---|---|");
        for [scenario, what, figure, aim] in &self.0 {
            println!("| {scenario} | {what} | {figure} | {aim} |");
        }
    }
}

/// Says how far it is.
#[expect(clippy::print_stderr, reason = "progress of a command that takes minutes")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
