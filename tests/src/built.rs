//! What is shipped of a function: that Lambda can start it, and what room its zip takes, held against `infra/sizes.txt`.

use std::path::Path;
use std::process::Command;

/// glibc's minor version in `provided.al2023`.
/// <https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html>
const GLIBC: u32 = 34;
/// A zip may be so many hundredths of the size that is kept.
const MOST_PERCENT: u64 = 110;
/// Most bytes of the zip of a function that is shipped: what is larger takes longer to start.
const LARGEST: u64 = 6_500_000;
/// The profile in which functions are shipped.
const SHIPPED: &str = "lambda";

/// Sizes by architecture, profile and function.
const SIZES: &str = include_str!("../../infra/sizes.txt");

/// A function that was built.
#[derive(Clone, Copy, Debug)]
pub struct Built<'b> {
    /// The function.
    pub function: &'b str,
    /// `x86_64` or `arm64`.
    pub architecture: &'b str,
    /// The profile it was built in.
    pub profile: &'b str,
    /// Its binary.
    pub binary: &'b Path,
}

/// A function that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its zip, as `aws cloudformation package` makes it.
    pub zip: Vec<u8>,
    /// Bytes of its binary.
    pub binary: u64,
    /// The newest minor version of glibc that it needs.
    pub glibc: u32,
}

impl Built<'_> {
    /// Looks at the binary and packs it; an error says what Lambda would not start, or what has grown.
    pub fn check(&self) -> Result<Checked, String> {
        let what = format!("{} for {} ({})", self.function, self.architecture, self.profile);
        let binary = std::fs::read(self.binary).map_err(|error| format!("{what}: {error}"))?;
        if machine(&binary) != Some(self.architecture) {
            return Err(format!("{what} is for another processor"));
        }
        let glibc = newest_glibc(&binary).ok_or_else(|| format!("{what} asks nothing of glibc"))?;
        if glibc > GLIBC {
            return Err(format!("{what} needs glibc 2.{glibc}, Lambda has 2.{GLIBC}"));
        }
        let zip = packed(&binary).map_err(|error| format!("{what}: {error}"))?;
        let is = zip.len() as u64;
        if let Some(kept) = kept(self.architecture, self.profile, self.function)
            && is > kept * MOST_PERCENT / 100
        {
            return Err(format!(
                "{what} is {is} bytes as a zip; infra/sizes.txt keeps {kept}. Find what has grown, or write the new size there"
            ));
        }
        if self.profile == SHIPPED && is > LARGEST {
            return Err(format!("{what} is {is} bytes as a zip, more than {LARGEST}"));
        }
        Ok(Checked { zip, binary: binary.len() as u64, glibc })
    }
}

/// The size that is kept of a function.
pub fn kept(architecture: &str, profile: &str, function: &str) -> Option<u64> {
    SIZES.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [of, built, name, bytes] = words[..] else { return None };
        ((of, built, name) == (architecture, profile, function)).then(|| bytes.parse().ok())?
    })
}

/// The machine that an ELF file is for, by `e_machine` of its header: <https://gabi.xinuos.com/elf/02-eheader.html>.
fn machine(binary: &[u8]) -> Option<&'static str> {
    match (binary.get(..4)?, binary.get(18..20)?) {
        (b"\x7fELF", [62, 0]) => Some("x86_64"),
        (b"\x7fELF", [183, 0]) => Some("arm64"),
        _ => None,
    }
}

/// The newest minor version of glibc whose symbols the binary names.
fn newest_glibc(binary: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"GLIBC_2.";
    let places = binary.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let versions = places.filter_map(|(at, _)| {
        let digits = binary[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    });
    versions.max()
}

/// A zip with the binary in it, deflated with Python's library.
fn packed(binary: &[u8]) -> std::io::Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let bootstrap = folder.path().join("bootstrap");
    std::fs::write(&bootstrap, binary)?;
    // A zip keeps who may run what is in it.
    std::fs::set_permissions(&bootstrap, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c", "function.zip", "bootstrap"])
        .current_dir(folder.path())
        .status()?;
    if !zipped.success() {
        return Err(std::io::Error::other("python3 -m zipfile failed"));
    }
    std::fs::read(folder.path().join("function.zip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that looks like a binary of a machine and needs a version of glibc.
    fn binary(folder: &Path, machine: u8, glibc: u32, bytes: usize) -> std::path::PathBuf {
        let mut text = b"\x7fELF".to_vec();
        text.resize(18, 0);
        text.extend([machine, 0]);
        text.extend(format!("GLIBC_2.2.5\0GLIBC_2.{glibc}\0").bytes());
        // Nothing that can be made smaller.
        let mut random = 1_u32;
        text.extend((0..bytes).map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        }));
        let path = folder.join(format!("{machine}-{glibc}-{bytes}"));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn said(path: &Path, profile: &str) -> Result<u32, String> {
        let built = Built { function: "match", architecture: "x86_64", profile, binary: path };
        built.check().map(|checked| checked.glibc)
    }

    #[test]
    fn what_lambda_cannot_start_or_has_grown_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let of = |machine, glibc, bytes| binary(folder.path(), machine, glibc, bytes);
        assert_eq!(said(&of(62, 34, 10), "lambda"), Ok(34));
        assert!(said(&of(183, 34, 10), "lambda").unwrap_err().contains("another processor"));
        assert!(said(&of(62, 38, 10), "lambda").unwrap_err().contains("needs glibc 2.38"));
        let kept = usize::try_from(kept("x86_64", "dev", "match").unwrap()).unwrap();
        assert_eq!(said(&of(62, 34, kept), "dev"), Ok(34));
        assert!(said(&of(62, 34, kept / 10 * 12), "dev").unwrap_err().contains("infra/sizes.txt keeps"));
        assert!(said(&of(62, 34, 6_600_000), "lambda").is_err());
    }
}
