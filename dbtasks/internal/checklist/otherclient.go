package checklist

import "strings"

// otherClients are drivers and mappers that this checklist does not read.
var otherClients = []string{"typeorm", "sequelize", "knex", "kysely", "pg-promise", "slonik", "@mikro-orm/postgresql", "@vercel/postgres", "mysql2", "mongoose", "better-sqlite3"}

// otherClient names those that package.json asks for.
func (c *check) otherClient() string {
	var found []string
	for _, name := range otherClients {
		if _, ok := c.pkg.depends(name); ok {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return "; " + strings.Join(found, ", ") + " is not read by this checklist"
}
