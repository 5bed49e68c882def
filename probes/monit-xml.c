/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/monit-xml.h"

#include <errno.h>
#include <string.h>

#include "probes/xml-dl.h"

#define MONIT_XML_VALUE_MAX 256 /* bytes of a text that is looked at */

static bool monit_xml_is(const xmlNode *node, const char *name)
{
        return node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, name) == 0;
}

/* The text of the child element @name. Return: false if there is none, or it is longer than anything of ours.
 */
static bool monit_xml_text(const xmlNode *parent, const char *name, char *buf, size_t size)
{
        const xmlNode *child = parent->children;
        size_t len = 0;

        while (child && !monit_xml_is(child, name))
                child = child->next;
        if (!child)
                return false;
        buf[0] = '\0';
        for (const xmlNode *part = child->children; part; part = part->next) {
                if ((part->type != XML_TEXT_NODE && part->type != XML_CDATA_SECTION_NODE) || !part->content)
                        return false;
                size_t n = strlen((const char *) part->content);
                if (n >= size - len)
                        return false;
                memcpy(buf + len, part->content, n + 1);
                len += n;
        }
        return true;
}

static int monit_xml_number(const xmlNode *service, const char *key, const char *name, int *ret, Err *err)
{
        char text[MONIT_XML_VALUE_MAX];

        if (!monit_xml_text(service, key, text, sizeof(text)))
                return err_set(err, -EBADMSG, "monit's check %.80s has no readable <%s>", name, key);
        size_t len = strlen(text);
        if (len == 0 || len > 2 || strspn(text, "0123456789") != len)
                return err_set(err, -EBADMSG, "monit's check %.80s has a <%s> that is no number", name, key);
        *ret = text[0] - '0';
        if (len == 2)
                *ret = *ret * 10 + text[1] - '0';
        return 0;
}

static int monit_xml_search(const xmlDoc *doc, const xmlNode *root, const char *name, MonitCheck *ret,
                            Err *err)
{
        MonitCheck check = { 0 };

        /* monit writes none. Without one there are no entities, and so nothing that could grow. */
        if (doc->intSubset || doc->extSubset)
                return err_set(err, -EBADMSG, "Not monit's state: XML with a document type");
        if (!root || !monit_xml_is(root, "monit"))
                return err_set(err, -EBADMSG, "Not monit's state: XML of something else");
        for (const xmlNode *service = root->children; service; service = service->next) {
                char text[MONIT_XML_VALUE_MAX];
                if (!monit_xml_is(service, "service") ||
                    !monit_xml_text(service, "name", text, sizeof(text)) || strcmp(text, name) != 0)
                        continue;
                if (check.found)
                        return err_set(err, -EBADMSG, "monit's check %.80s is there twice", name);
                int r = monit_xml_number(service, "monitor", name, &check.monitor, err);
                if (r >= 0)
                        r = monit_xml_number(service, "pendingaction", name, &check.pending_action, err);
                if (r < 0)
                        return r;
                check.found = true;
        }
        *ret = check;
        return 0;
}

int monit_xml_find(const char *xml, size_t len, const char *name, MonitCheck *ret, Err *err)
{
        const XmlDl *dl = NULL;

        if (len > MONIT_XML_MAX)
                return err_set(err, -E2BIG, "XML of %zu bytes, more than %d are not read", len,
                               MONIT_XML_MAX);
        int r = xml_dl_load("monit's state", &dl, err);
        if (r < 0)
                return r;

        /* No option that loads or replaces anything; the two only keep it from printing. */
        xmlDoc *doc = dl->ReadMemory(xml, (int) len, NULL, NULL,
                                     XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        const xmlError *why = doc ? NULL : dl->GetLastError();
        bool no_memory = why && why->code == XML_ERR_NO_MEMORY;
        /* Kept by libxml2 with a piece of the text, for nobody. */
        dl->ResetLastError();
        if (no_memory)
                return err_set(err, -ENOMEM, "Out of memory for XML of %zu bytes", len);
        if (!doc)
                return err_set(err, -EBADMSG, "Not XML");
        r = monit_xml_search(doc, dl->DocGetRootElement(doc), name, ret, err);
        dl->FreeDoc(doc);
        return r;
}
