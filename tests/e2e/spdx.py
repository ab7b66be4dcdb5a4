#!/usr/bin/env python3
"""spdx.py FILE: whether it is an SPDX 2.3 document in JSON: what the specification requires is there and of its form, names that
refer to something do, and every package hangs on the one that is described. Says what is wrong, a line each; status 1."""
import json
import re
import sys

SUMS = {"SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128, "MD5": 32}
KINDS = set("""DESCRIBES DESCRIBED_BY CONTAINS CONTAINED_BY DEPENDS_ON DEPENDENCY_OF DEPENDENCY_MANIFEST_OF BUILD_DEPENDENCY_OF
DEV_DEPENDENCY_OF OPTIONAL_DEPENDENCY_OF PROVIDED_DEPENDENCY_OF TEST_DEPENDENCY_OF RUNTIME_DEPENDENCY_OF EXAMPLE_OF GENERATES
GENERATED_FROM ANCESTOR_OF DESCENDANT_OF VARIANT_OF DISTRIBUTION_ARTIFACT PATCH_FOR PATCH_APPLIED COPY_OF FILE_ADDED FILE_DELETED
FILE_MODIFIED EXPANDED_FROM_ARCHIVE DYNAMIC_LINK STATIC_LINK DATA_FILE_OF TEST_CASE_OF BUILD_TOOL_OF DEV_TOOL_OF TEST_OF TEST_TOOL_OF
DOCUMENTATION_OF OPTIONAL_COMPONENT_OF METAFILE_OF PACKAGE_OF AMENDS PREREQUISITE_FOR HAS_PREREQUISITE REQUIREMENT_DESCRIPTION_FOR
SPECIFICATION_FOR OTHER""".split())
LICENCES = set("MIT BSD-2-Clause BSD-3-Clause Zlib blessing curl LGPL-2.1-or-later LGPL-3.0-or-later GPL-2.0-or-later".split())
wrong = []


def check(good, text):
    if not good:
        wrong.append(text)


def has(thing, key, form, where):
    """A string that has that form."""
    value = thing.get(key)
    check(isinstance(value, str) and re.fullmatch(form, value), f"{where}: {key}: {value!r}")


def check_licence(package, key, where):
    value = package.get(key, "NOASSERTION")
    words = set(re.split(r" AND | OR |[()]", value)) - {""}
    check(value in ("NONE", "NOASSERTION") or words <= LICENCES, f"{where}: {key}: {value!r}")


def check_package(package):
    where = package.get("SPDXID", "a package")
    has(package, "SPDXID", r"SPDXRef-[A-Za-z0-9.-]+", where)
    has(package, "name", r"[^\n]+", where)
    has(package, "downloadLocation", r"NONE|NOASSERTION|(https?|ftp|git\+\w+)://\S+", where)
    check(package.get("filesAnalyzed") is False, f"{where}: no file is told of, so filesAnalyzed must be false")
    check("packageVerificationCode" not in package, f"{where}: a verification code without files")
    check_licence(package, "licenseConcluded", where)
    check_licence(package, "licenseDeclared", where)
    for sum_ in package.get("checksums", []):
        digits = SUMS.get(sum_.get("algorithm"), -1)
        has(sum_, "checksumValue", r"[0-9a-f]{%d}" % max(digits, 1), where)
        check(digits > 0, f"{where}: checksum of {sum_.get('algorithm')!r}")
    for reference in package.get("externalRefs", []):
        has(reference, "referenceCategory", r"SECURITY|PACKAGE-MANAGER|PERSISTENT-ID|OTHER", where)
        has(reference, "referenceType", r"\S+", where)
        has(reference, "referenceLocator", r"pkg:\S+/\S+" if reference.get("referenceType") == "purl" else r"\S+", where)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    has(document, "spdxVersion", r"SPDX-2\.3", "document")
    has(document, "dataLicense", r"CC0-1\.0", "document")
    has(document, "SPDXID", r"SPDXRef-DOCUMENT", "document")
    has(document, "name", r"[^\n]+", "document")
    has(document, "documentNamespace", r"[a-z][a-z0-9+.-]*://[^\s#]+", "document")
    creation = document.get("creationInfo", {})
    has(creation, "created", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "creationInfo")
    check(creation.get("creators"), "creationInfo: no creators")
    for creator in creation.get("creators", []):
        check(re.fullmatch(r"(Person|Organization): .+|Tool: \S+-\S+", creator), f"creationInfo: creator {creator!r}")
    packages = document.get("packages", [])
    check(packages, "no packages")
    for package in packages:
        check_package(package)
    known = [document.get("SPDXID")] + [package.get("SPDXID") for package in packages]
    check(len(known) == len(set(known)), "an SPDXID is there twice")
    described, told = set(document.get("documentDescribes", [])), set()
    for relation in document.get("relationships", []):
        ends = relation.get("spdxElementId"), relation.get("relatedSpdxElement")
        check(relation.get("relationshipType") in KINDS, f"relationship {relation.get('relationshipType')!r}")
        for end in ends:
            check(end in known, f"a relationship with {end!r}, which is not there")
        told.update(ends)
        if relation.get("relationshipType") == "DESCRIBES":
            described.add(ends[1])
    check(described, "nothing is described")
    for identifier in known:
        check(identifier in told, f"{identifier} stands alone")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


sys.exit(main())
