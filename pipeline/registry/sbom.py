"""The list of what is in an image, in the two forms that scanners read: SPDX 2.3 and CycloneDX 1.6.

The same image gives the same bytes: every date is the image's own, every identifier is made from its digest.
"""

import io
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.extracted_licensing_info import ExtractedLicensingInfo
from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory, Package
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

from pipeline.image import labels
from pipeline.image.content import Content
from pipeline.registry.inventory import UNKNOWN, Part, licensing

NAME = "ossec-log-server"
AUTHORS = "the ossec-log-server authors"


def spdx(image: Content, parts: Sequence[Part]) -> dict[str, Any]:
    """The parts of an image as an SPDX document, validated."""
    root = _package("SPDXRef-image", NAME, "", image.labels[labels.VERSION])
    root.supplier = Actor(ActorType.ORGANIZATION, AUTHORS)
    if said := image.labels.get(labels.LICENCES):
        root.license_declared = licensing().parse(said)
    root.checksums = [Checksum(ChecksumAlgorithm.SHA256, image.manifest.sha256)]
    root.external_references = [_reference("purl", _purl(image).to_string())]
    packages = [root]
    relationships = [Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, root.spdx_id)]
    for number, part in enumerate(parts):
        package = _package(f"SPDXRef-{number}", part.name, part.url, part.version)
        package.external_references = [_reference("purl", part.purl)]
        if part.cpe:
            package.external_references.append(_reference("cpe23Type", part.cpe))
        if part.supplier:
            package.supplier = Actor(ActorType.ORGANIZATION, part.supplier)
        if part.licence:
            package.license_declared = licensing().parse(part.licence)
        if part.sha256:
            package.checksums = [Checksum(ChecksumAlgorithm.SHA256, part.sha256)]
        packages.append(package)
        relationships.append(Relationship(root.spdx_id, RelationshipType.CONTAINS, package.spdx_id))
    about = CreationInfo(
        "SPDX-2.3",
        "SPDXRef-DOCUMENT",
        f"{NAME}-{image.labels[labels.VERSION]}",
        f"https://spdx.org/spdxdocs/{NAME}-{image.manifest.sha256}",
        creators=[Actor(ActorType.ORGANIZATION, AUTHORS), Actor(ActorType.TOOL, NAME)],
        created=_created(image),
    )
    unknown = {name for part in parts for name in re.findall(rf"{UNKNOWN}[\w.-]+", part.licence)}
    document = Document(
        about,
        packages,
        relationships=relationships,
        extracted_licensing_info=list(map(_text_of, sorted(unknown))),
    )
    stream = io.StringIO()
    write_document_to_stream(document, stream, validate=True)
    written: dict[str, Any] = json.loads(stream.getvalue())
    return written


def cyclonedx(image: Content, parts: Sequence[Part]) -> dict[str, Any]:
    """The parts of an image as a CycloneDX document."""
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, image.digest))
    bom.metadata.timestamp = _created(image)
    bom.metadata.authors.add(OrganizationalContact(name=AUTHORS))
    bom.metadata.supplier = OrganizationalEntity(name=AUTHORS)
    root = Component(
        name=NAME,
        version=image.labels[labels.VERSION],
        type=ComponentType.CONTAINER,
        bom_ref=image.digest,
        purl=_purl(image),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.manifest.sha256)],
        supplier=OrganizationalEntity(name=AUTHORS),
    )
    bom.metadata.component = root
    for part in parts:
        component = Component(
            name=part.name,
            version=part.version,
            type=ComponentType.APPLICATION if part.sha256 else ComponentType.LIBRARY,
            bom_ref=part.purl,
            purl=PackageURL.from_string(part.purl),
            cpe=part.cpe or None,
            licenses=[LicenseExpression(part.licence)] if part.licence else None,
            supplier=OrganizationalEntity(name=part.supplier) if part.supplier else None,
        )
        if part.url:
            hashes = [HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)] if part.sha256 else None
            kind = ExternalReferenceType.SOURCE_DISTRIBUTION if hashes else ExternalReferenceType.WEBSITE
            component.external_references.add(
                ExternalReference(type=kind, url=XsUri(part.url), hashes=hashes)
            )
        bom.components.add(component)
    bom.register_dependency(root, bom.components)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return document


def purls(document: dict[str, Any], start: str = "pkg:") -> set[str]:
    """The parts that an SBOM of either form lists, by package URLs that start so, without the image itself."""
    found = [component["purl"] for component in document.get("components", [])]
    if "spdxVersion" in document:
        packages = [one for one in document["packages"] if one["SPDXID"] != "SPDXRef-image"]
        references = [reference for one in packages for reference in one.get("externalRefs", [])]
        found = [one["referenceLocator"] for one in references if one["referenceType"] == "purl"]
    return {purl for purl in found if purl.startswith(start)}


def _package(key: str, name: str, url: str, version: str) -> Package:
    return Package(key, name, url or SpdxNoAssertion(), version=version, files_analyzed=False)


def _reference(kind: str, locator: str) -> ExternalPackageRef:
    categories = ExternalPackageRefCategory
    category = categories.PACKAGE_MANAGER if kind == "purl" else categories.SECURITY
    return ExternalPackageRef(category, kind, locator)


def _text_of(licence: str) -> ExtractedLicensingInfo:
    name = licence.removeprefix(UNKNOWN)
    where = f"Its text is in the copyright files of Debian's packages, in the image's /usr/share/doc: {name}"
    return ExtractedLicensingInfo(licence, where, license_name=name)


def _purl(image: Content) -> PackageURL:
    return PackageURL("oci", None, NAME, image.digest, {"arch": image.platform["architecture"]})


def _created(image: Content) -> datetime:
    return datetime.fromisoformat(image.config["created"]).replace(microsecond=0)
